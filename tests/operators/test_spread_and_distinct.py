"""Variance, standard deviation and distinct values, over partials, restarts and rescales."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import TIME
from raystream.errors import ConfigurationError
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.verify.evaluate import evaluate
from tests.operators.test_aggregates import Window, once

K = AggregateKind
SPREAD = {
    "var": Aggregate(K.VARIANCE, "v"),
    "dev": Aggregate(K.STDDEV, "v"),
    "some": Aggregate(K.VARIANCE, "v", where="v > 0"),
}
KINDS = {
    "kinds": Aggregate(K.COUNT_DISTINCT, "v"),
    "some": Aggregate(K.COUNT_DISTINCT, "v", where="v > 0"),
}


def answer(harness: Any, asked: Any, batches: list[list[Any]], kind: Any) -> dict[str, Any]:
    """All values of one group, with a restart and a rescale in between."""
    frames = [
        pl.DataFrame({"k": [1] * len(values), "v": pl.Series(values, dtype=kind)})
        for values in batches
    ]
    window = Window(harness, asked, frames[0])
    for number, frame in enumerate(frames):
        window.rows(frame.with_columns(pl.lit(0, pl.Int64()).alias(TIME)))
        window.restart(rescaled=number % 2 == 1)
    [row] = window.close()
    return row


NUMBERS = st.none() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=6), min_size=1, max_size=4), NUMBERS)
@example([[1], [None], [1.5, 2]], 1e9)  # far from 0: no cancellation
@example([[None], [None]], None)
def test_variance_is_that_of_all_values(
    harness: Any, batches: list[list[Any]], far: float | None
) -> None:
    moved = [[None if v is None else v + (far or 0) for v in values] for values in batches]
    row = answer(harness, SPREAD, moved, pl.Float64())
    for name, values in {
        "var": [v for part in moved for v in part if v is not None],
        "some": [v for part in moved for v in part if v is not None and v > 0],
    }.items():
        if len(values) < 2:
            assert row[name] is None
        else:
            assert row[name] == pytest.approx(statistics.variance(values), rel=1e-6, abs=1e-4)
    assert row["dev"] == (None if row["var"] is None else math.sqrt(row["var"]))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.lists(
            st.none() | st.sampled_from([0.0, -0.0, math.nan, -math.nan, 1.5, math.inf]),
            min_size=1, max_size=6,
        ),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_distinct_values_are_counted_once(harness: Any, batches: list[list[Any]]) -> None:
    """NaN is one value, 0.0 and -0.0 are one; NaN is greater than every number."""
    row = answer(harness, KINDS, batches, pl.Float64())
    values = ["NaN" if math.isnan(v) else v for part in batches for v in part if v is not None]
    assert row["kinds"] == len(set(values))
    assert row["some"] == len({v for v in values if v == "NaN" or v > 0})


@pytest.mark.parametrize(
    "values",
    [["a", "b", "a", None], [b"a", b"a"], [Decimal("1.50"), Decimal("1.5")], [True, False, True]],
    ids=str,
)
def test_values_of_every_type_are_told_apart(harness: Any, values: list[Any]) -> None:
    asked = {"kinds": Aggregate(K.COUNT_DISTINCT, "v")}
    row = once(harness, asked, pl.DataFrame({"v": values}).with_columns(pl.lit(0).alias(TIME)))
    assert row["kinds"] == len({value for value in values if value is not None})


def test_types_that_have_none_are_refused() -> None:
    for aggregate, said in (
        (rs.count_distinct("v"), r"n: count_distinct of List\(Int64\), whose values are not"),
        (rs.variance("t"), "n: variance of String"),
        (rs.stddev("t"), "n: stddev of String"),
    ):
        rows = rs.Pipeline("refused").read(rs.Rows([{"v": [1], "t": "a"}]))
        with pytest.raises(ConfigurationError, match=said):
            rows.window(rs.tumbling("1d")).agg(n=aggregate).collect()


def test_the_verifier_finds_the_same() -> None:
    rows = [{"k": "ab"[n % 2], "v": float(n % 5), "ts": n} for n in range(20)]
    asked = {"var": rs.variance("v"), "dev": rs.stddev("v"), "kinds": rs.count_distinct("v")}
    p = rs.Pipeline("same")
    keyed = p.read(rs.Rows(rows), event_time="ts", name="rows").key_by("k")
    for made in (keyed.window(rs.tumbling("1m")).agg(asked), keyed.aggregate(asked)):
        made.write(rs.Collect())
    right = list(evaluate(p.graph(), {"rows": rows}).values())
    fresh = rs.Pipeline("found").read(rs.Rows(rows), event_time="ts").key_by("k")
    found = fresh.window(rs.tumbling("1m")).agg(asked).collect().sort("k").to_dicts()
    for one, other in zip(found, sorted(right[0], key=lambda row: row["k"]), strict=True):
        assert one == pytest.approx(other)
    assert sorted(row["kinds"] for row in right[1]) == [5, 5]
