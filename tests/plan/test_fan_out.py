"""Rows that several windows read are sent to none of them: only partial aggregates are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.plan.physical import ExchangeKind, PhysicalPlan
from raystream.verify.evaluate import evaluate

ROWS = [{"a": n % 3, "b": "xyz"[n % 2], "n": n, "ts": n * 7} for n in range(40)]
LARGE = "n * 1200000000000000000"
"""Fits for n < 8."""

SCHEMA = {"a": "int", "b": "string", "n": "int", "ts": "int"}


def job(*, raw: bool, sinks: list[rs.Collect], parallelism: int = 2) -> rs.Pipeline:
    p = rs.Pipeline("fan-out", parallelism=parallelism)
    read = p.read(rs.Rows(ROWS, partitions=2), event_time="ts", schema=SCHEMA, name="rows")
    rows = read.with_columns(m="n * 2")
    for key in "ab":
        window = rows.key_by(key).window(rs.tumbling("50ms"), name=f"by-{key}")
        window.agg(n=rs.count(), last=rs.last("m"), top=rs.top_k("m", 2)).write(sinks[0])
        sinks = sinks[1:]
    if raw:
        rows.filter("n > 30").write(sinks[0], name="raw")
    return p


def exchanges(plan: PhysicalPlan) -> list[tuple[str, str, ExchangeKind]]:
    return [(e.source_step, e.tag, e.kind) for e in plan.exchanges]


def test_only_partials_are_sent() -> None:
    plan = job(raw=False, sinks=[rs.Collect(), rs.Collect()]).plan()
    assert exchanges(plan) == [
        ("by-a-locals", "by-a-local", ExchangeKind.HASH),
        ("by-a-locals", "by-b-local", ExchangeKind.HASH),
    ]
    (chain,) = (chain for chain in plan.chains if chain.source is not None)
    assert [step.name for step in chain.steps][-1] == "by-a-locals"
    assert not chain.steps[-1].step.passes
    assert chain.source is not None
    assert chain.source.read is not None
    assert chain.source.read.row_order, "for the last"


def test_another_reader_of_the_rows_is_in_their_chain() -> None:
    plan = job(raw=True, sinks=[rs.Collect(), rs.Collect(), rs.Collect()]).plan()
    assert {kind for _, _, kind in exchanges(plan)} == {ExchangeKind.HASH}
    (chain,) = (chain for chain in plan.chains if chain.source is not None)
    assert chain.sink is not None


def test_one_window_alone_and_readers_of_late_rows_stay_as_they_were() -> None:
    p = rs.Pipeline("one", parallelism=2)
    rows = p.read(rs.Rows(ROWS), event_time="ts", schema=SCHEMA, name="rows")
    made = rows.key_by("a").window(rs.tumbling("50ms"), name="w").agg(n=rs.count())
    made.write(rs.Collect())
    assert ("w-local", "main", ExchangeKind.HASH) in exchanges(p.plan())
    made.late.write(rs.Collect())
    rows.key_by("b").window(rs.tumbling("50ms"), name="v").agg(n=rs.count()).write(rs.Collect())
    sent = exchanges(p.plan())
    assert ("v-locals", "v-local", ExchangeKind.HASH) in sent
    assert ("v-locals", "main", ExchangeKind.HASH) in sent, "late rows are whole rows"


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("parallelism", [1, 2])
def test_the_results_are_right(tmp_path: Path, raw: bool, parallelism: int) -> None:
    sinks = [rs.Collect() for _ in range(3)]
    p = job(raw=raw, sinks=sinks, parallelism=parallelism)
    p.run(until="latest", local=True, checkpoint_storage=str(tmp_path))
    right = evaluate(p.graph(), {"rows": ROWS})
    found = [sink.rows() for sink in sinks[: 2 + raw]]
    assert list(map(in_order, found)) == list(map(in_order, right.values()))
    assert all(found)


def test_dead_letters_name_the_window_that_could_not_take_a_row(tmp_path: Path) -> None:
    out, dead = [rs.Collect(), rs.Collect()], rs.Collect()
    p = rs.Pipeline("letters", parallelism=2)
    rows = p.read(rs.Rows(ROWS[:9]), event_time="ts", schema=SCHEMA, name="rows")
    for key, sink in zip("ab", out, strict=True):
        window = rows.key_by(key).window(rs.tumbling("1d"), name=f"by-{key}", errors="dlq")
        made = window.agg(n=rs.count(), other=rs.count(LARGE if key == "b" else "n"))
        made.write(sink)
        made.errors.write(dead if key == "b" else rs.Collect())
    p.run(until="latest", local=True, checkpoint_storage=str(tmp_path))
    assert sum(row["n"] for row in out[0].rows()) == 9
    assert sum(row["n"] for row in out[1].rows()) == 8
    (letter,) = dead.rows()
    assert "by-b" in str(letter)


def in_order(rows: Any) -> list[dict[str, Any]]:
    return sorted(rows, key=str)
