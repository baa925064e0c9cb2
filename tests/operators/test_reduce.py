"""reduce against plain Python: batches, restarts, rescales, errors, types; in whole jobs."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, JobFailed, RaystreamError
from raystream.graph.policies import ErrorPolicy
from raystream.operators.reduce.operator import Reduce
from raystream.testing import CRASH, feed
from tests import steps
from tests.operators.process.subtasks import Subtasks

COLUMNS = {"k": pl.Float64(), "n": pl.Int64(), "x": pl.Float64(), "items": pl.List(pl.String())}
SCHEMA = {**COLUMNS, TIME: pl.Int64()}


class Reducing(Subtasks):
    def opened(self, index: int) -> Reduce:
        return self.opened_as(Reduce, index)


def together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    if other["n"] == 7:
        raise ValueError("a bad row")
    one["items"] += other["items"] or ["none"]
    x = None if other["x"] is None else one["n"]  # an int, where the column is a float
    return {"n": one["n"] + other["n"], "x": x, "items": one["items"], "k": "not the key"}


ROW = st.tuples(
    st.sampled_from([None, 0.0, -0.0, math.nan, 1.5]),
    st.integers(5, 9),
    st.sampled_from([None, 0.5]),
    st.sampled_from([[], ["a"]]),
    st.integers(0, 40),
)
BATCH = st.tuples(
    st.lists(ROW, max_size=6), st.sampled_from([0, 0, 1, 2, 3]), st.sampled_from([0, 0, 3, 9])
)


@settings(max_examples=15, deadline=None)
@given(st.lists(BATCH, max_size=5), st.sampled_from([None, 6]))
def test_it_gives_what_plain_python_gives_whatever_happens_between(
    batches: list[Any], ttl: int | None
) -> None:
    step = steps.Reduce(("k",), together, ttl, ErrorPolicy.SKIP, columns=Schema(COLUMNS))
    subtasks, plain, watermark = Reducing(step, 2), Plain(ttl), 0
    for rows, restart, advance in batches:
        subtasks.process(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
        for row in rows:
            plain.row(dict(zip(SCHEMA, row, strict=True)), watermark)
        if restart:
            subtasks.restart(restart)
        if advance:
            watermark += advance
            subtasks.watermark(watermark)
    made = [{**row, TIME: at} for _, row, at in subtasks.output.rows]
    for key in {repr(row["k"]) for row in plain.made}:
        assert [shown(r) for r in made if repr(r["k"]) == key] == [
            shown(r) for r in plain.made if repr(r["k"]) == key
        ]
    assert len(made) == len(plain.made)


class Plain:
    def __init__(self, ttl: int | None) -> None:
        self.ttl, self.made = ttl, list[dict[str, Any]]()
        self.kept: dict[str, tuple[dict[str, Any], int]] = {}

    def row(self, row: dict[str, Any], watermark: int) -> None:
        key = repr(row["k"] + 0.0) if row["k"] is not None else ""
        before, written = self.kept.get(key, (None, -(2**62)))
        now = max(row[TIME], watermark)
        if before is None or (self.ttl is not None and now - self.ttl > written):
            after = row
        else:
            if row["n"] == 7:
                return
            x = None if row["x"] is None else float(before["n"])
            items = [*before["items"], *(row["items"] or ["none"])]
            after = {**row, "n": before["n"] + row["n"], "x": x, "items": items}
        self.kept[key] = (after, max(now, written))
        self.made.append(after)


def shown(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))


VALUES: list[Any] = [
    True, 3, 2.5, "ü", b"\0", Decimal("1.50"), date(2024, 2, 29), time(1, 2, 3, 4),
    datetime(2024, 2, 29, 1),  # noqa: DTZ001
    timedelta(milliseconds=-5), [1, None], {"a": None, "b": [1]}, None,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_rows_of_every_type_are_kept_over_a_restart(value: Any) -> None:
    frame = pl.DataFrame({"k": [1, 2], "v": [value, None], TIME: [1, 2]})
    columns = Schema({name: frame.schema[name] for name in ("k", "v")})
    step = steps.Reduce(("k",), lambda one, other: {**one, "k": None}, columns=columns)
    subtasks = Reducing(step, 1)
    subtasks.process(frame)
    subtasks.restart(3)
    subtasks.process(frame.with_columns(v=frame["v"].shift(1)))
    rows = sorted((row for _, row, _ in subtasks.output.rows), key=lambda row: row["k"])
    assert [row["v"] for row in rows] == [value, value, None, None]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda one, other: 5, "the function gave int, not a dict"),
        (lambda one, other: {"n": "x"}, "column 'n': 'x' is not Int64"),
        (lambda one, other: {"m": 1}, "column 'm' is not in the schema"),
        (lambda one, other: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_the_function_may_not_give_is_told_at_its_line(function: Any, said: str) -> None:
    frame = pl.DataFrame({"k": [1, 1], "n": [1, 2], TIME: [1, 2]})
    columns = Schema({"k": pl.Int64(), "n": pl.Int64()})
    with pytest.raises(RaystreamError, match=said) as caught:
        Reducing(steps.Reduce(("k",), function, columns=columns), 1).process(frame)
    assert "test_reduce.py" in caught.value.where


def highest(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return max(one, other, key=lambda row: row["n"])


@pytest.mark.parametrize("parallelism", [1, 3])
def test_a_job_with_crashes_gives_one_row_for_each(parallelism: int) -> None:
    p = rs.Pipeline("highest")
    source = rs.Kafka("kafka:9092").topic("bids")
    rows = p.read(source, event_time="ts", schema={"k": "string", "n": "int", "ts": "int"})
    rows.key_by("k").reduce(highest).write(rs.Collect(), name="out")
    given: list[Any] = [{"k": "ab"[i % 2], "n": i * 7 % 11, "ts": i} for i in range(30)]
    plain: dict[str, Any] = {}
    expected = []
    for row in given:
        plain[row["k"]] = highest(plain.get(row["k"], row), row)
        expected.append((row["k"], plain[row["k"]]["n"]))
    for at in (25, 11):
        given.insert(at, CRASH)
    found = feed(p, {"bids": given}, parallelism=parallelism)
    assert sorted((row["k"], row["n"]) for row in found["out"]) == sorted(expected)


def test_mistakes_are_told() -> None:
    rows = rs.Pipeline("example").read(rs.Rows([{"k": 1}]))
    with pytest.raises(ConfigurationError, match="reduce needs a key"):
        rows.reduce(highest)
    with pytest.raises(ConfigurationError, match="reduce takes a function"):
        rows.key_by("k").reduce("highest")  # type: ignore[arg-type]
    with pytest.raises(JobFailed, match="KeyError: 'n'"):
        rows.union(rows).key_by("k").reduce(highest).collect()
