"""arg_min, arg_max, collect, top_k and distinct ones against plain Python, in every setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import ORDER, TIME
from raystream.data.changes import CHANGE, RowKind
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.verify.aggregates import finish, values_of
from raystream.verify.evaluate import evaluate
from tests import steps
from tests.operators.test_aggregates import Window, once
from tests.operators.test_group_aggregate import Subtasks, plain

ASKED = {
    "cheapest": rs.arg_min("x", "s"),
    "its_n": rs.arg_min("x", "n"),
    "dearest": rs.arg_max("x", "s"),
    "row": rs.arg_max("n"),
    "some": rs.arg_max("n", "s", where="x > 0"),
    "list": rs.collect("n", limit=3),
    "names": rs.collect("s", limit=2, distinct=True),
    "top": rs.top_k("n", 2),
    "kinds": rs.top_k("n", 3, distinct=True),
    "sum": rs.sum("n", distinct=True),
    "mean": rs.mean("n", where="x > 0", distinct=True),
    "var": rs.variance("n", distinct=True),
    "dev": rs.stddev("n", distinct=True),
}
SCHEMA = {
    "k": pl.Int64(), "n": pl.Int64(), "x": pl.Float64(), "s": pl.String(), TIME: pl.Int64(),
}  # fmt: skip
ROW = st.tuples(
    st.just(1),
    st.none() | st.integers(-2, 3),
    st.none() | st.sampled_from([-1.0, 0.0, -0.0, 2.5, math.nan, math.inf]),
    st.none() | st.sampled_from(["a", "b", "c"]),
    st.integers(0, 3),
)
BATCHES = st.lists(st.lists(ROW, min_size=1, max_size=5), min_size=1, max_size=3)


def expected(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """By the verifier's plain Python; TIME is hidden there, too."""
    step = steps.GroupAggregate(("k",), ASKED)
    dicts = [dict(zip(SCHEMA, row, strict=True)) for row in rows]
    given_ = values_of(step, dicts)
    times = [row[-1] for row in rows]
    return {n: finish(a, range(len(rows)), times, *given_[n]) for n, a in ASKED.items()}


def frames(batches: list[list[tuple[Any, ...]]]) -> list[pl.DataFrame]:
    """With the place of each row, as it was written."""
    found, number = [], 0
    for rows in batches:
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        places = pl.Series(ORDER, range(number, number + len(rows)), pl.Int128())
        found.append(frame.with_columns(places))
        number += len(rows)
    return found


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, nan_ok=True)
    if isinstance(one, dict):
        return all(same(one[name], other[name]) for name in one)
    return bool(one == other)


@settings(max_examples=5, deadline=None)
@given(BATCHES, st.randoms(use_true_random=False), st.sampled_from(["none", "same", "rescale"]))
@example([[(1, 2, 0.0, "b", 1)], [(1, 2, -0.0, "a", 1)]], None, "same")
@example([[(1, 2, math.nan, None, 1), (1, None, None, "a", 1)]], None, "rescale")
def test_windows(harness: Any, batches: list[list[Any]], random: Any, restarts: str) -> None:
    given_ = frames(batches)
    if random is not None:
        random.shuffle(given_)
    window = Window(harness, ASKED, given_[0])
    for frame in given_:
        window.rows(frame)
        if restarts != "none":
            window.restart(rescaled=restarts == "rescale")
    [row] = window.close()
    right = expected([row for rows in batches for row in rows])
    assert {n: v for n, v in row.items() if n in right and not same(v, right[n])} == {}
    assert set(right) <= set(row)


@settings(max_examples=5, deadline=None)
@given(BATCHES, st.sampled_from([1, 2]), st.data())
def test_without_window_and_with_rows_taken_back(
    batches: list[list[Any]], width: int, data: Any
) -> None:
    columns = Schema({n: t for n, t in SCHEMA.items() if n != TIME})
    for takes_back in (False, True):
        step = steps.GroupAggregate(("k",), ASKED, columns=columns, takes_back=takes_back)
        subtasks, rows = Subtasks(step), []
        for number, frame in enumerate(frames(batches)):
            kinds = [RowKind.INSERT] * frame.height
            added = frame.with_columns(pl.Series(CHANGE, kinds, pl.Int8()))
            subtasks.process(added if takes_back else frame)
            numbered = list(zip(frame[ORDER].to_list(), batches[number], strict=True))
            gone = data.draw(st.sets(st.sampled_from(range(frame.height)))) if takes_back else set()
            if gone:
                back = frame[sorted(gone)]
                kinds = [RowKind.DELETE] * back.height
                subtasks.process(back.with_columns(pl.Series(CHANGE, kinds, pl.Int8())))
            rows += [row for n, (_, row) in enumerate(numbered) if n not in gone]
            subtasks.restart(width)
        found = subtasks.output.rows()
        assert len(found) == min(1, len(rows))
        if rows:
            values = dict(zip(subtasks.output.columns, found[0], strict=False))
            right = expected(rows)
            assert {n: values[n] for n in right} == {n: plain(v) for n, v in right.items()}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (rs.arg_min("l", "n"), r"a: arg_min of List\(Int64\), which has no order; give one of its"),
        (rs.top_k("l", 1), r"a: top_k of List\(Int64\), which has no order; give one of its"),
        (rs.collect("l", limit=1, distinct=True), r"a: collect of List\(Int64\), whose values are"),
        (rs.sum("s", distinct=True), "a: sum of String; give a column of numbers"),
        (rs.arg_max("n", where="n"), "a: where is Int64, not true or false"),
    ],
)
def test_what_has_no_meaning_is_refused(asked: rs.Aggregate, message: str) -> None:
    rows = rs.Pipeline("refused").read(rs.Rows([{"n": 1, "l": [1], "s": "a"}]))
    for made in (
        lambda: rows.window(rs.tumbling("1d")).agg(a=asked),
        lambda: rows.aggregate(a=asked),
    ):
        with pytest.raises(ConfigurationError, match=message):
            made().collect()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rs.collect("n", limit=0), "collect: limit is 0, not 1 or more"),
        (lambda: rs.top_k("n", 0), "top_k: k is 0, not 1 or more"),
        (lambda: rs.arg_min(None), "arg_min needs what decides"),
    ],
)
def test_numbers_are_checked_where_they_are_written(call: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        call()


def test_a_list_that_is_cut_is_counted_in_the_status() -> None:
    step = steps.GroupAggregate(("k",), {"all": rs.collect("n", limit=2)})
    subtasks, counted = Subtasks(step), []
    (operator,) = subtasks.operators
    operator.ctx = operator.ctx.for_step("aggregate", lambda name, n: counted.append((name, n)))
    for number in range(3):
        rows = [(1, number, 0.0, "a", number)]
        subtasks.process(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    assert counted == [("cut_lists", 1)]
    assert subtasks.output.rows() == [(1, (0, 1), 1)]


def test_values_of_every_type_are_collected_and_chosen(harness: Any) -> None:
    values = {
        "d": pl.Series([Decimal("1.50"), Decimal("-2.00"), None]),
        "b": pl.Series([b"x", b"", None]),
        "t": pl.Series([5, 3, None], dtype=pl.Datetime("us", "UTC")),
        "e": pl.Series(["lo", "hi", None], dtype=pl.Enum(["hi", "lo"])),
        "l": pl.Series([[1, None], [], None]),
        "o": pl.Series([{"x": 1.5}, {"x": None}, None]),
        "q": pl.Series([True, False, None]),
    }
    frame = pl.DataFrame(values).with_columns(pl.int_range(3).alias(TIME))
    asked = {name: rs.collect(name, limit=5) for name in values}
    row = once(harness, asked, frame)
    assert row | {} == row | {name: series[:2].to_list() for name, series in values.items()}
    least = {n: rs.arg_min(n, "o") for n in "dbteq"}
    assert {once(harness, least, frame)[n]["x"] for n in least} == {None}


def test_the_whole_row_has_the_columns_of_the_rows_alone() -> None:
    rows = [
        {"k": "a", "n": 1, "s": "x"},
        {"k": "a", "n": 3, "s": "y"},
        {"k": "b", "n": 2, "s": "z"},
    ]
    asked = {"best": rs.arg_max(lambda row: row["n"] * 2), "total": rs.sum(lambda row: row["n"])}
    keyed = (
        rs.Pipeline("rows").read(rs.Rows(rows), schema={"k": str, "n": int, "s": str}).key_by("k")
    )
    for made in (keyed.window(rs.tumbling("1d")).agg(asked), keyed.aggregate(asked)):
        found = made.collect().unique("k", keep="last", maintain_order=True).sort("k")
        assert found["best"].to_list() == rows[1:]


def test_the_verifier_finds_the_same_in_windows_and_sessions() -> None:
    rows = [{"k": "ab"[n % 2], "n": n % 3, "x": float(n % 4), "s": "xyz"[n % 3], "ts": n}
            for n in range(20)]  # fmt: skip
    asked = {name: each for name, each in ASKED.items() if name not in ("var", "dev")}
    p = rs.Pipeline("same")
    keyed = p.read(rs.Rows(rows), event_time="ts", name="rows").key_by("k")
    for window in (rs.tumbling("5ms"), rs.session("3ms")):
        made = keyed.window(window).agg(asked)
        made.write(rs.Collect())
    right = list(evaluate(p.graph(), {"rows": rows}).values())
    for number, window in enumerate((rs.tumbling("5ms"), rs.session("3ms"))):
        fresh = rs.Pipeline("found").read(rs.Rows(rows), event_time="ts").key_by("k")
        found = fresh.window(window).agg(asked).collect().to_dicts()
        assert sorted(found, key=str) == sorted(right[number], key=str)
