"""process against plain Python: states, timers, errors, batches, restarts; in whole jobs."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.graph.policies import ErrorPolicy
from raystream.operators.process import firing
from raystream.testing import CRASH, feed
from raystream.time.watermark import END_OF_TIME
from raystream.verify.process import PlainProcess
from tests import steps
from tests.operators.process.subtasks import BATCH, OUT, SCHEMA, Machine, Subtasks, Total


@settings(max_examples=15, deadline=None)
@given(st.lists(BATCH, max_size=5), st.booleans(), st.sampled_from([1, 2, 5_000]))
def test_it_gives_what_plain_python_gives_whatever_happens_between(
    batches: list[tuple[list[tuple[Any, ...]], int, int]], known: bool, piece: int
) -> None:
    types = {"k": pl.String()} if known else None
    made = steps.Process(
        Machine(), ("k",), OUT, {"side": {"x": "int"}}, ErrorPolicy.SKIP, types=types
    )
    subtasks, plain, watermark = Subtasks(made, 2), PlainProcess(Machine(), ("k",), skips=True), 0
    before, firing.PIECE = firing.PIECE, piece
    try:
        for rows, restart, advance in batches:
            subtasks.process(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
            for row in rows:
                plain.row(dict(zip(SCHEMA, row, strict=True)), row[-1])
            if restart:
                subtasks.restart(restart)
            if advance:
                watermark += advance
                subtasks.watermark(watermark)
                plain.advance(watermark)
        subtasks.watermark(END_OF_TIME)
        plain.end()
    finally:
        firing.PIECE = before
    for key in ("a", "b", "c", None):  # rows of a key are in order
        assert of_key(subtasks.output.rows, key) == of_key(plain.made, key)
    assert sides(subtasks.output.rows) == sides(plain.made)


def of_key(made: list[tuple[str, dict[str, Any], int]], key: str | None) -> list[Any]:
    return [(row, time) for tag, row, time in made if not tag and row["k"] == key]


def sides(made: list[tuple[str, dict[str, Any], int]]) -> list[Any]:
    return sorted((row["x"], time) for tag, row, time in made if tag == "side")


# -- the whole job ---------------------------------------------------------------------------------


@pytest.mark.parametrize("parallelism", [1, 3])
def test_a_job_with_crashes_counts_every_row_once_and_windows_behind_it_see_timers(
    parallelism: int,
) -> None:
    p = rs.Pipeline("totals")
    source = rs.Kafka("kafka:9092").topic("orders")
    rows = p.read(source, event_time="ts", schema={"shop": "string", "n": "int", "ts": "int"})
    totals = rows.key_by("shop").process(Total())
    totals.write(rs.Collect(), name="totals")
    counts = totals.key_by().window(rs.tumbling("100ms")).agg(n=rs.count(), total=rs.sum("total"))
    counts.write(rs.Collect(), name="counts")
    given: list[Any] = [{"shop": "ab"[i % 2], "n": i, "ts": i * 10} for i in range(40)]
    for at in (37, 21, 8):
        given.insert(at, CRASH)
    found = feed(p, {"orders": given}, parallelism=parallelism)
    expected = {
        (shop, at): sum(
            i for i in range(40) if "ab"[i % 2] == shop and i * 10 // 100 * 100 + 99 == at
        )
        for shop in "ab"
        for at in (99, 199, 299, 399)
    }
    assert len(found["totals"]) == len(expected)
    assert {(r["shop"], r["until"]): r["total"] for r in found["totals"]} == expected
    assert {r["window_start"]: (r["n"], r["total"]) for r in found["counts"]} == {
        at - 99: (2, expected["a", at] + expected["b", at]) for at in (99, 199, 299, 399)
    }
