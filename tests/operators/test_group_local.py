"""Aggregates without a window, pre-aggregated before the exchange: the same last rows."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.ipc import from_ipc, to_ipc
from raystream.data.schema import Schema
from raystream.operators.group_aggregate.reduction import SKIPPED
from raystream.operators.group_aggregate.step import GroupLocal
from raystream.operators.window.aggregates import ROWS
from raystream.plan.physical import ExchangeKind
from tests import steps
from tests.operators.test_group_aggregate import Subtasks, plain
from tests.operators.test_row_aggregates import ASKED, BATCHES, SCHEMA, expected, frames

COLUMNS = Schema({name: dtype for name, dtype in SCHEMA.items() if name in ("k", "n", "x", "s")})


@settings(max_examples=4, deadline=None)
@given(BATCHES, st.integers(0, 99).map(Random))
def test_partials_of_batches_and_rows_are_merged(
    harness: Any, batches: list[list[Any]], random: Random
) -> None:
    """Whichever the chain of the rows chooses for each batch."""
    for keys in (("k",), ()):
        whole = steps.GroupAggregate(keys, ASKED, columns=COLUMNS)
        local = harness(GroupLocal(whole))
        local.operator._reduction.tries = lambda rows: random.random() < 0.5
        merging = Subtasks(whole.but(pre_aggregated=True), 2 if keys else 1)
        for frame in frames(batches):
            for partial in local.process(frame).take_frames():
                merging.process(from_ipc(to_ipc(partial)))
            merging.restart(3 - merging.width if keys else 1)
        (found,) = merging.output.rows()
        right = expected([row for rows in batches for row in rows])
        values = dict(zip(merging.output.columns, found, strict=False))
        assert {n: values[n] for n in right} == {n: plain(v) for n, v in right.items()}


def test_state_of_a_job_without_partials_is_continued() -> None:
    """As a checkpoint of an earlier raystream holds it."""
    whole = steps.GroupAggregate(("k",), {"n": rs.count(), "sum": rs.sum("n")}, columns=COLUMNS)
    before = Subtasks(whole)
    rows = pl.DataFrame([(1, 5, 0.0, "a", 3)], schema=SCHEMA, orient="row")
    before.process(rows)
    before.step = whole.but(pre_aggregated=True)
    before.restart(1)
    assert whole.meaning() == before.step.meaning()
    from raystream.operators.group_aggregate.columns import aggregates_of, partials_of
    from raystream.operators.window.aggregates import Aggregation

    aggregation = Aggregation(aggregates_of(whole), rows.schema)
    before.process(partials_of(whole, aggregation, aggregation.with_values(rows)))
    assert before.output.rows() == [(1, 2, 10, 3)]


def test_rows_are_aggregated_where_they_are_unless_they_change_others(tmp_path: Path) -> None:
    rows = [{"k": "ab"[n % 2], "n": n} for n in range(20)]
    out, dead = rs.Collect(), rs.Collect()
    p = rs.Pipeline("totals", parallelism=2)
    read = p.read(rs.Rows(rows, partitions=2), schema={"k": "string", "n": "int"}, name="rows")
    asked = {"n": rs.count(), "large": rs.max("n * 500000000000000000")}
    made = read.key_by("k").aggregate(asked, errors="dlq", name="by-k")
    counts = made.key_by("n").aggregate(keys=rs.count(), name="by-n")
    made.write(out, changes="upsert")
    made.errors.write(dead)
    counts.write(rs.Collect(), changes="upsert")
    sent = {(e.source_step, e.target) for e in p.plan().exchanges if e.kind is ExchangeKind.HASH}
    assert ("by-k-local", "by-k") in sent
    assert ("key-n", "by-n") in sent
    p.run(until="latest", local=True, checkpoint_storage=str(tmp_path))
    assert len(dead.rows()) == 1, "19 times that is too large"
    assert {row["k"]: row["n"] for row in out.rows()} == {"a": 10, "b": 9}


def test_a_window_and_an_aggregate_share_the_rows() -> None:
    p = rs.Pipeline("both", parallelism=2)
    schema = {"k": "string", "n": "int", "ts": "int"}
    read = p.read(rs.Rows([]), event_time="ts", schema=schema, name="rows")
    read.key_by("k").aggregate(n=rs.count(), name="a").write(rs.Collect(), changes="upsert")
    read.key_by("ts").window(rs.tumbling("1m"), name="w").agg(n=rs.count()).write(rs.Collect())
    (chain,) = (chain for chain in p.plan().chains if chain.source is not None)
    assert [step.name for step in chain.steps] == ["rows", "a-locals"]


@pytest.mark.parametrize(("keys", "summed"), [(10, 34), (100_000, 2)])
def test_keys_that_do_not_repeat_are_sent_as_rows(harness: Any, keys: int, summed: int) -> None:
    """Their sums would be no fewer, but wider, and cost a group-by."""
    columns = Schema({"k": pl.Int64(), "n": pl.Int64(), "unread": pl.String()})
    local = harness(GroupLocal(steps.GroupAggregate(("k",), {"n": rs.sum("n")}, columns=columns)))
    for batch in range(2 * SKIPPED + 2):
        rows = [(batch * 100 + n) % keys for n in range(100)]
        local.process(pl.DataFrame({"k": rows, "n": rows, "unread": ["x"] * 100}))
    found = local.take_frames()
    assert sum(ROWS in frame.columns for frame in found) == summed
    assert all("unread" not in frame.columns for frame in found)
    assert {frame.height for frame in found} == ({10} if keys == 10 else {100})


def test_a_much_larger_batch_is_tried_at_once(harness: Any) -> None:
    columns = Schema({"k": pl.Int64()})
    local = harness(GroupLocal(steps.GroupAggregate(("k",), {"n": rs.count()}, columns=columns)))
    for height in (1, 3, 4, 100):
        local.process(pl.DataFrame({"k": [n % 4 for n in range(height)]}))
    assert [ROWS in frame.columns for frame in local.take_frames()] == [True, False, True, True]
