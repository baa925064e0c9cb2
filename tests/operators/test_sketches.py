"""Quantiles and approximate counts: within their error, and the same whatever comes between."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import TIME
from raystream.data.changes import CHANGE, RowKind
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.operators.window.stable_hash import stable_hashes
from raystream.verify.aggregates import finish, values_of
from tests import steps
from tests.operators.test_aggregates import Window, once
from tests.operators.test_group_aggregate import Subtasks, plain

ASKED = {
    "low": rs.quantile("x", 0),
    "p30": rs.quantile("x", 0.3),
    "median": rs.median("x"),
    "high": rs.quantile("x", 1, where="n > 0"),
    "whole": rs.quantile("n", 0.9),
    "xs": rs.approx_count_distinct("x"),
    "ns": rs.approx_count_distinct("n"),
    "names": rs.approx_count_distinct("s", where="n > 0"),
}
SCHEMA = {
    "k": pl.Int64(), "n": pl.Int64(), "x": pl.Float64(), "s": pl.String(), TIME: pl.Int64(),
}  # fmt: skip
ROW = st.tuples(
    st.just(1),
    st.none() | st.integers(-3, 2000),
    st.none()
    | st.floats(allow_subnormal=True)
    | st.sampled_from([0.0, -0.0, 1.0, 1.01, -5.0, math.nan, math.inf, -math.inf]),
    st.none() | st.sampled_from(["", "a", "b", "ä" * 40]),
    st.integers(0, 3),
)
BATCHES = st.lists(st.lists(ROW, min_size=1, max_size=6), min_size=1, max_size=3)


def expected(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    """By the verifier, which knows the sketches in plain Python."""
    dicts = [dict(zip(SCHEMA, row, strict=True)) for row in rows]
    given_ = values_of(steps.GroupAggregate(("k",), ASKED), dicts)
    times = [row[-1] for row in rows]
    return {n: finish(a, range(len(rows)), times, *given_[n]) for n, a in ASKED.items()}


def frame_of(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@settings(max_examples=8, deadline=None)
@given(BATCHES, st.sampled_from(["none", "same", "rescale"]))
@example([[(1, 5, 5e-324, "a", 0)], [(1, 5, 1.7e308, "a", 0), (1, 1, -1.7e308, "b", 0)]], "same")
def test_windows(harness: Any, batches: list[list[Any]], restarts: str) -> None:
    window = Window(harness, ASKED, frame_of(batches[0]))
    for rows in batches:
        window.rows(frame_of(rows))
        if restarts != "none":
            window.restart(rescaled=restarts == "rescale")
    [row] = window.close()
    right = expected([row for rows in batches for row in rows])
    whole = once(harness, ASKED, frame_of([row for rows in batches for row in rows]))
    assert repr({n: row[n] for n in ASKED}) == repr({n: whole[n] for n in ASKED})
    assert [row[n] is None for n in right] == [v is None for v in right.values()]
    for name, value in ((n, v) for n, v in right.items() if v is not None):
        assert row[name] == pytest.approx(value, rel=1e-9, abs=0, nan_ok=True), name


@settings(max_examples=4, deadline=None)
@given(BATCHES, st.data())
def test_rows_that_are_taken_back_count_no_more(batches: list[list[Any]], data: Any) -> None:
    columns = Schema({n: t for n, t in SCHEMA.items() if n != TIME})
    step = steps.GroupAggregate(("k",), ASKED, columns=columns, takes_back=True)
    subtasks, left = Subtasks(step), []
    for rows in batches:
        frame = frame_of(rows)
        gone = data.draw(st.sets(st.sampled_from(range(len(rows)))))
        for kind, part in ((RowKind.INSERT, frame), (RowKind.DELETE, frame[sorted(gone)])):
            if part.height:
                subtasks.process(part.with_columns(pl.lit(int(kind), pl.Int8()).alias(CHANGE)))
        left += [row for number, row in enumerate(rows) if number not in gone]
        subtasks.restart(1)
    found = [dict(zip(subtasks.output.columns, r, strict=False)) for r in subtasks.output.rows()]
    if left:
        whole = Subtasks(steps.GroupAggregate(("k",), ASKED, columns=columns))
        whole.process(frame_of(left))
        (right,) = whole.output.rows()
        assert found == [dict(zip(whole.output.columns, right, strict=False))]
    else:
        assert found == []
    assert plain(0.0) == 0.0


@pytest.mark.parametrize("q", [0.0, 0.05, 0.5, 0.99, 1.0])
def test_a_quantile_is_within_one_percent(harness: Any, q: float) -> None:
    random = np.random.default_rng(7)
    values = pl.Series(np.concatenate([random.lognormal(3, 3, 5000), -random.lognormal(1, 2, 900)]))
    frame = pl.DataFrame({"x": values}).with_columns(pl.lit(0, pl.Int64()).alias(TIME))
    found = once(harness, {"q": rs.quantile("x", q)}, frame)["q"]
    exact = values.sort()[math.floor(q * (len(values) - 1))]
    assert abs(found / exact - 1) <= 0.01 + 1e-12


@pytest.mark.parametrize("number", [0, 1, 2, 50, 3000, 40_000])
@pytest.mark.parametrize("text", [False, True])
def test_an_approximate_count_is_within_four_standard_errors(
    harness: Any, number: int, text: bool
) -> None:
    numbers = pl.Series([*range(number), *range(number // 2)], dtype=pl.Int64)
    values = numbers.cast(pl.String) if text else numbers
    frame = pl.DataFrame({"x": [None, *values]}, schema={"x": values.dtype})
    frame = frame.with_columns(pl.lit(0, pl.Int64()).alias(TIME))
    found = once(harness, {"n": rs.approx_count_distinct("x")}, frame)["n"]
    assert abs(found - number) <= max(0.5, 4 * 0.0081 * number)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([1, -1, 2**100, -(2**100), 1], dtype=pl.Int128),
        pl.Series([Decimal("1.50"), Decimal("-1.50"), Decimal("1.5")]),
        pl.Series([date(2024, 1, 1), date(2024, 1, 2)]),
        pl.Series([b"", b"\0", b"\0\0", b""]),
        pl.Series(["a", "b", "a"]).cast(pl.Enum(["a", "b"])),
        pl.Series([True, False, True]),
        pl.Series([2**64 - 1, 0], dtype=pl.UInt64),
        pl.Series([0.0, -0.0, math.nan, -math.nan, 1.5], dtype=pl.Float32),
    ],
    ids=lambda series: str(series.dtype),
)
def test_values_of_every_type_are_told_apart(values: pl.Series) -> None:
    hashes = stable_hashes(values).tolist()
    different = 3 if values.dtype == pl.Float32 else values.n_unique()
    assert len(set(hashes)) == different


def test_what_has_no_meaning_is_refused() -> None:
    for asked, message in (
        (rs.quantile("s", 0.5), "a: quantile of String; give a column of numbers"),
        (rs.approx_count_distinct("l"), r"a: approx_count_distinct of List\(Int64\), whose values"),
    ):
        rows = rs.Pipeline("refused").read(rs.Rows([{"s": "a", "l": [1]}]))
        with pytest.raises(ConfigurationError, match=message):
            rows.window(rs.tumbling("1d")).agg(a=asked).collect()
    with pytest.raises(ConfigurationError, match="quantile: q is 95, not from 0 to 1"):
        rs.quantile("x", 95)
