"""Joins without a condition on time, against plain Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.operators.joins.kinds import JoinKind
from raystream.verify.evaluate import evaluate
from tests import steps
from tests.operators.joining import ON, Model, Row, Subtasks
from tests.operators.test_interval_join import EVENT, in_order, played, small_pieces

FOR_EVER = 2**61


@small_pieces
@settings(max_examples=40)
@given(st.lists(EVENT, max_size=14), st.sampled_from([None, 0, 7]))
def test_every_pair_that_lives(events: list[tuple[str, Any]], ttl: int | None) -> None:
    reach = FOR_EVER if ttl is None else ttl
    subtasks = Subtasks(steps.Join(ON, ttl_ms=ttl), 2)
    subtasks.output.checks = False

    def until(port: int, row: Row) -> int:
        return int(row[-1] + reach)

    model = Model(JoinKind.INNER, lambda left: (left[-1] - reach, left[-1] + reach), until)
    played(subtasks, model, events)
    assert in_order(subtasks.output.rows) == in_order(model.rows)
    assert subtasks.counted == len(subtasks.output.late)


@pytest.mark.parametrize("ttl", [None, "20s"])
def test_a_join_of_a_join_and_its_oracle(ttl: str | None, tmp_path: Path) -> None:
    people = [{"id": n, "at": n * 1000, "name": f"p{n}"} for n in range(40)]
    auctions = [{"id": n, "at": n * 1300, "seller": n % 7} for n in range(40)]
    bids = [{"bidder": n % 9, "at": n * 700, "price": n} for n in range(60)]
    p = rs.Pipeline("q23", checkpoint_storage=str(tmp_path / "storage"), parallelism=2)
    sources = {"people": people, "auctions": auctions, "bids": bids}
    person, auction, bid = (
        p.read(rs.Rows(rows), event_time="at", name=name) for name, rows in sources.items()
    )
    out = rs.Collect()
    sellers = bid.join(person, {"bidder": "id"}, ttl=ttl, name="bidders")
    sellers.join(auction, {"id": "seller"}, suffix="_auction", ttl=ttl, name="sellers").select(
        "price", "name", "id_auction"
    ).write(out, name="out")
    p.run(until="latest", local=True)
    expected = evaluate(p.graph(), sources)["out"]
    assert expected
    assert in_order([tuple(row.items()) for row in out.rows()]) == in_order(
        [tuple(row.items()) for row in expected]
    )
