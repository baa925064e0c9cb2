"""Aggregates without a window against plain Python: batches, restarts, rescales, time."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.context import SubtaskContext
from raystream.data.batch import ORDER, TIME, Batch
from raystream.data.changes import CHANGE, RowKind
from raystream.data.hashing import partition
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError
from raystream.graph.policies import ErrorPolicy
from raystream.ids import SubtaskId
from raystream.operators.group_aggregate.operator import GroupAggregate
from raystream.operators.operator import Restored, StepState
from raystream.time.clock import VirtualClock
from raystream.time.watermark import Watermark
from raystream.verify.evaluate import evaluate
from tests import steps

GONE = (RowKind.UPDATE_BEFORE, RowKind.DELETE)
SCHEMA = {"k": pl.Float64(), "v": pl.Int64(), TIME: pl.Int64()}
ASKED = {
    "n": rs.count(),
    "some": rs.count(where="v > 1"),
    "total": rs.sum("v"),
    "mean": rs.mean("v"),
    "most": rs.max("v"),
    "last": rs.last("v"),
}


class Changing:
    """An output that follows the changes, and checks that each fits those before it."""

    def __init__(self) -> None:
        self.there: Counter[tuple[Any, ...]] = Counter()
        self.kinds: list[str] = []
        self.columns: list[str] = []

    def emit(self, batch: Batch, tag: str = "") -> None:
        if tag:
            return
        before = None
        self.columns = batch.user_columns()
        for values, kind in zip(
            batch.frame.select(*self.columns, TIME).iter_rows(),
            batch.frame[CHANGE].to_list(),
            strict=True,
        ):
            row = tuple(plain(value) for value in values)
            self.kinds.append(RowKind(kind).name)
            assert (before == RowKind.UPDATE_BEFORE) == (kind == RowKind.UPDATE_AFTER)
            before = kind
            if kind in GONE:
                assert self.there[row] > 0, "a row is taken back as it was given"
            self.there[row] += -1 if kind in GONE else 1

    def consumed(self, tag: str) -> bool:
        return True

    def rows(self) -> list[tuple[Any, ...]]:
        return sorted(self.there.elements(), key=repr)


def plain(value: Any) -> Any:
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else round(value, 6) + 0.0
    if isinstance(value, dict | list):
        return tuple(map(plain, value.values() if isinstance(value, dict) else value))
    return value


class Subtasks:
    """All subtasks of a step, and what they gave."""

    operator: Any = GroupAggregate

    def __init__(self, step: Any, width: int = 1) -> None:
        self.step, self.output, self.attempt, self.width = step, Changing(), 0, width
        self.operators = [self.opened(index) for index in range(width)]

    def opened(self, index: int) -> Any:
        me = SubtaskId("aggregate", index)
        where = ("job", "0" * 8, self.attempt, "aggregate", me, self.width)
        operator = self.operator(self.step)
        operator.open(SubtaskContext(*where, VirtualClock(), ThreadPoolExecutor(1)), self.output)
        return operator

    def process(self, frame: pl.DataFrame) -> None:
        shares = partition(frame, list(self.step.keys), self.width)
        for operator, share in zip(self.operators, shares, strict=True):
            if share is not None:
                operator.process(Batch(share))

    def watermark(self, time: int) -> None:
        for operator in self.operators:
            operator.on_watermark(Watermark(time))

    def restart(self, width: int) -> None:
        states = [one.snapshot(1, final=False) or StepState() for one in self.operators]
        same = width == self.width
        self.attempt, self.width = self.attempt + 1, width if self.step.keys else 1
        self.operators = [self.opened(index) for index in range(self.width)]
        for index, operator in enumerate(self.operators):
            mine = [states[index]] if same else states
            operator.restore(Restored(mine, redistribute=not same))


ROW = st.tuples(
    st.sampled_from([None, 0.0, math.nan, 1.5]),
    st.sampled_from([None, 1, 2, 5, -3]),
    st.integers(0, 40),
)
BATCHES = st.lists(st.tuples(st.lists(ROW, max_size=6), st.sampled_from([0, 0, 1, 2, 3])))


@settings(max_examples=15)
@given(BATCHES, st.booleans(), st.booleans())
def test_the_last_row_of_each_key_is_its_aggregates_whatever_happens_between(
    batches: list[tuple[list[tuple[Any, ...]], int]], known: bool, keyed: bool
) -> None:
    columns = Schema({"k": SCHEMA["k"], "v": SCHEMA["v"]}) if known else None
    keys = ("k",) if keyed else ()
    subtasks = Subtasks(steps.GroupAggregate(keys, ASKED, columns=columns), 2 if keyed else 1)
    groups: dict[Any, list[tuple[int, int | None]]] = {}
    came = 0
    for rows, restart in batches:
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        subtasks.process(frame.with_columns(placed(came, len(rows))))
        came += len(rows)
        for k, v, time in rows:
            groups.setdefault((plain(k),) if keyed else (), []).append((time, v))
        if restart:
            subtasks.restart(restart)
    assert subtasks.output.rows() == sorted(
        [(*key, *answer(members)) for key, members in groups.items()], key=repr
    )


def answer(members: list[tuple[int, int | None]]) -> tuple[Any, ...]:
    values = [v for _, v in members if v is not None]
    last = [v for time, v in members if time == max(t for t, _ in members)]
    return (
        len(members),
        len([v for v in values if v > 1]),
        sum(values),
        plain(sum(values) / len(values)) if values else None,
        max(values, default=None),
        last[-1],
        max(time for time, _ in members),
    )


def placed(first: int, number: int) -> pl.Series:
    """What the engine gives to rows that reach a `last`."""
    return pl.Series(ORDER, range(first, first + number), pl.Int128())


def rows_of(*rows: tuple[str, int | None, int]) -> pl.DataFrame:
    schema = {"k": pl.String(), "v": pl.Int64(), TIME: pl.Int64()}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def test_a_batch_changes_a_key_once_and_not_if_its_row_stays_the_same() -> None:
    subtasks = Subtasks(steps.GroupAggregate(("k",), {"most": rs.max("v")}))
    subtasks.process(rows_of(("a", 1, 1), ("a", 2, 2), ("b", 5, 3)))
    assert subtasks.output.kinds == ["INSERT", "INSERT"]
    subtasks.process(rows_of(("a", 2, 9), ("b", 4, 9)))
    assert len(subtasks.output.kinds) == 2
    subtasks.process(rows_of(("a", 3, 10), ("a", 7, 11)))
    assert subtasks.output.kinds[2:] == ["UPDATE_BEFORE", "UPDATE_AFTER"]
    assert subtasks.output.rows() == [("a", 7, 11), ("b", 5, 3)]


def test_a_key_without_rows_for_the_ttl_starts_anew_also_over_a_restart() -> None:
    subtasks = Subtasks(steps.GroupAggregate(("k",), {"n": rs.count()}, 10))
    subtasks.process(rows_of(("a", 1, 100), ("b", 1, 109)))
    subtasks.watermark(111)
    subtasks.restart(1)
    subtasks.output.there.clear()
    subtasks.output.there[("b", 1, 109)] = 1
    subtasks.process(rows_of(("a", 1, 112), ("b", 1, 112)))
    assert subtasks.output.kinds[2:] in (
        ["INSERT", "UPDATE_BEFORE", "UPDATE_AFTER"],
        ["UPDATE_BEFORE", "UPDATE_AFTER", "INSERT"],
    )
    assert subtasks.output.rows() == [("a", 1, 112), ("b", 2, 112)]


def test_a_result_that_does_not_fit_deletes_the_row_until_one_fits_again() -> None:
    most = 2**63 - 1
    step = steps.GroupAggregate(("k",), {"total": rs.sum("v")}, errors=ErrorPolicy.DLQ)
    subtasks = Subtasks(step)
    subtasks.process(rows_of(("a", most, 1)))
    subtasks.process(rows_of(("a", 1, 2)))
    assert subtasks.output.rows() == []
    subtasks.process(rows_of(("a", -5, 3)))
    assert subtasks.output.kinds == ["INSERT", "DELETE", "INSERT"]
    assert subtasks.output.rows() == [("a", most - 4, 3)]
    failing = Subtasks(steps.GroupAggregate(("k",), {"total": rs.sum("v")}))
    failing.process(rows_of(("a", most, 1)))
    with pytest.raises(DataError, match="total: the sum does not fit"):
        failing.process(rows_of(("a", 1, 2)))


def test_state_of_another_type_is_refused() -> None:
    subtasks = Subtasks(steps.GroupAggregate(("k",), {"n": rs.count()}))
    subtasks.process(rows_of(("a", 1, 1)))
    with pytest.raises(ConfigurationError, match="have .k. of type String, which is Int64 now"):
        subtasks.process(pl.DataFrame({"k": [1], TIME: [1]}))


def shops(
    folder: Path, rows: list[dict[str, Any]], out: rs.Collect, log: rs.Collect
) -> rs.Pipeline:
    p = rs.Pipeline("shops", checkpoint_storage=str(folder), parallelism=2)
    read = p.read(rs.Rows(rows, partitions=2), name="orders", schema={"shop": "string", "n": "int"})
    counted = read.key_by("shop").aggregate(orders=rs.count(), total=rs.sum("n"), name="by-shop")
    counted.write(out, changes="upsert", name="table")
    counted.filter("total > 10").write(log, changes="log", name="log")
    return p


def test_a_pipeline_goes_on_where_the_last_run_stopped(tmp_path: Path) -> None:
    rows = [{"shop": "ab"[n % 2], "n": n} for n in range(6)]
    out, log = rs.Collect(), rs.Collect()
    shops(tmp_path, rows, out, log).run(until="latest", local=True)
    more = [*rows, {"shop": "a", "n": 100}, {"shop": "c", "n": 11}]
    shops(tmp_path, more, out, log).run(until="latest", local=True)
    told = sorted(out.rows(), key=lambda row: str(row["shop"]))
    graph = shops(tmp_path, more, out, log).graph()
    right = evaluate(graph, {"orders": more})
    assert told == right["table"]
    assert sorted((row["op"], row["shop"], row["total"]) for row in log.rows()) == [
        ("insert", "a", 106),
        ("insert", "c", 11),
    ]
    assert right["log"] == [row for row in told if row["total"] > 10]


MONEY = rs.col("v").cast(pl.Decimal(20, 2))
SUBTRACTED = {
    "n": rs.count(),
    "some": rs.count(where="v > 1"),
    "total": rs.sum("v"),
    "mean": rs.mean("v"),
    "money": rs.sum(MONEY),
    "shared": rs.mean(MONEY),
}
AGAIN = {**ASKED, "least": rs.min("v"), "float": rs.sum("f"), "first": rs.first("v")}
AGAIN |= {"distinct": rs.count_distinct("v"), "spread": rs.variance("v")}
MOVES = st.lists(
    st.tuples(
        st.lists(
            st.tuples(
                st.integers(0, 4),
                st.one_of(st.none(), st.tuples(st.sampled_from("ab"), st.sampled_from([1, 2, 5]))),
            ),
            max_size=6,
        ),
        st.sampled_from([0, 0, 1, 2, 3]),
    ),
    max_size=8,
)
CHANGING = {
    "k": pl.String(),
    "v": pl.Int64(),
    "f": pl.Float64(),
    TIME: pl.Int64(),
    CHANGE: pl.Int8(),
}


@pytest.mark.parametrize("asked", [SUBTRACTED, AGAIN], ids=["subtracted", "computed again"])
@settings(max_examples=12)
@given(moves=MOVES, keyed=st.booleans())
def test_rows_that_are_taken_back_count_no_more(
    asked: dict[str, Any],
    moves: list[tuple[list[tuple[int, tuple[str, int] | None]], int]],
    keyed: bool,
) -> None:
    """Rows of a table (by a number) are set and deleted; times rise, so that no two are equal."""
    keys = ("k",) if keyed else ()
    step = steps.GroupAggregate(keys, asked, takes_back=True)
    subtasks = Subtasks(step, 2 if keyed else 1)
    table: dict[int, tuple[str, int, float, int]] = {}
    clock = 0
    for batch, restart in moves:
        rows: list[tuple[Any, ...]] = []
        for place, new in batch:
            clock += 1
            old = table.pop(place, None)
            if old is not None:
                rows.append((*old, RowKind.DELETE if new is None else RowKind.UPDATE_BEFORE))
            if new is not None:
                table[place] = (*new, math.nan if new[1] == 5 else 1e17 / new[1], clock)
                kind = RowKind.INSERT if old is None else RowKind.UPDATE_AFTER
                rows.append((*table[place], kind))
        if rows:
            subtasks.process(pl.DataFrame(rows, schema=CHANGING, orient="row"))
        if restart:
            subtasks.restart(restart)
    groups: dict[Any, list[tuple[str, int, float, int]]] = {}
    for row in table.values():
        groups.setdefault((row[0],) if keyed else (), []).append(row)
    names = [*keys, *asked]
    found = [dict(zip(names, row, strict=False)) for row in subtasks.output.rows()]
    right = [
        {**dict(zip(keys, key, strict=True)), **after(asked, rows)} for key, rows in groups.items()
    ]
    assert sorted(found, key=in_order) == sorted(right, key=in_order)


def in_order(row: dict[str, Any]) -> tuple[str, int]:
    return row.get("k", ""), row["n"]


def after(asked: dict[str, Any], rows: list[tuple[str, int, float, int]]) -> dict[str, Any]:
    in_time = sorted(rows, key=lambda row: row[3])
    values = [row[1] for row in in_time]
    answers = {
        "n": len(values),
        "some": len([v for v in values if v > 1]),
        "total": sum(values),
        "mean": plain(sum(values) / len(values)),
        "most": max(values),
        "last": values[-1],
        "least": min(values),
        "float": plain(float(sum(row[2] for row in rows))),
        "first": values[0],
        "distinct": len(set(values)),
        "spread": plain(statistics.variance(values)) if len(values) > 1 else None,
        "money": Decimal(sum(values)),
        "shared": round(Decimal(sum(values)) / len(values), 6),
    }
    return {name: answers[name] for name in asked}


def test_an_aggregate_of_an_aggregate(tmp_path: Path) -> None:
    rows = [{"shop": "abc"[n % 3], "town": "xxy"[n % 3], "n": n} for n in range(10)]
    out = rs.Collect()
    p = rs.Pipeline("towns", checkpoint_storage=str(tmp_path), parallelism=2)
    read = p.read(rs.Rows(rows), name="in", schema={"shop": "string", "town": "string", "n": "int"})
    shops = read.key_by("town", "shop").aggregate(total=rs.sum("n"), name="shops")
    towns = shops.key_by("town").aggregate(most=rs.max("total"), n=rs.count(), name="towns")
    towns.write(out, changes="upsert", name="out")
    p.run(until="latest", local=True)
    right = evaluate(p.graph(), {"in": rows})["out"]
    assert sorted(out.rows(), key=str) == sorted(right, key=str)
    assert right[0].keys() == {"town", "most", "n"}
