"""Aggregates against plain Python: exact numbers, whatever the batches, partials and restarts."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.data.batch import HIDDEN, ORDER, TIME
from raystream.data.hidden_names import renamed
from raystream.data.ipc import from_ipc, to_ipc
from raystream.data.schema import Schema
from raystream.data.segment import Segment
from raystream.errors import ConfigurationError, DataError
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.windows import Tumbling
from raystream.operators.operator import Restored, StepState
from raystream.time.watermark import END_OF_TIME, Watermark
from tests.steps import WindowAggregate, WindowGlobal, WindowLocal, output_schema

K = AggregateKind
GREATEST = {
    pl.Int8(): 2**7, pl.Int16(): 2**15, pl.Int32(): 2**31, pl.Int64(): 2**63, pl.Int128(): 10**38,
}  # fmt: skip
TOTALS = {"total": Aggregate(K.SUM, "v"), "mean": Aggregate(K.MEAN, "v")}


def asked(aggregates: dict[str, Aggregate]) -> WindowAggregate:
    return WindowAggregate(("k",), Tumbling(10), aggregates)


def schema(frame: pl.DataFrame) -> Schema:
    return Schema({n: d for n, d in frame.schema.items() if not n.startswith(HIDDEN)})


class Window:
    """A window in one subtask, local and global, that can be restarted."""

    def __init__(self, harness: Any, aggregates: dict[str, Aggregate], frame: pl.DataFrame) -> None:
        self.harness, self.step = harness, asked(aggregates)
        self.local = harness(WindowLocal(self.step))
        self.merge = WindowGlobal(self.step, True, schema(frame))
        self.state = harness(self.merge)
        self.attempt = 1

    def rows(self, frame: pl.DataFrame) -> None:
        for partial in self.local.process(frame).take_frames():
            self.state.process(from_ipc(to_ipc(partial)))

    def restart(self, states: list[StepState] | None = None, *, rescaled: bool = False) -> None:
        kept = states or [self.state.operator.snapshot(1, final=False)]
        again = [
            StepState(
                tuple(Segment(s.id, from_ipc(to_ipc(s.frame))) for s in state.segments),
                state.header,
            )
            for state in kept
        ]
        self.attempt += 1
        restored = Restored(again, rescaled)
        self.state = self.harness(self.merge, attempt=self.attempt, restored=restored)

    def close(self) -> list[dict[str, Any]]:
        self.state.operator.on_watermark(Watermark(END_OF_TIME))
        return self.state.take()


def once(harness: Any, aggregates: dict[str, Aggregate], frame: pl.DataFrame) -> dict[str, Any]:
    """The answer for all rows as one group."""
    window = Window(harness, aggregates, frame)
    window.rows(frame if "k" in frame.columns else frame.with_columns(k=pl.lit(1)))
    [row] = window.close()
    whole = harness(WindowGlobal(asked(aggregates), False))
    whole.process(frame if "k" in frame.columns else frame.with_columns(k=pl.lit(1)))
    whole.operator.on_watermark(Watermark(END_OF_TIME))
    assert repr(whole.take()) == repr([row])
    return row


WHOLE = st.sampled_from(list(GREATEST)).flatmap(
    lambda dtype: st.tuples(
        st.just(dtype),
        st.lists(
            st.lists(
                st.none()
                | st.integers(-GREATEST[dtype], GREATEST[dtype] - 1)
                | st.sampled_from([GREATEST[dtype] - 1, -GREATEST[dtype], 0, 1]),
                min_size=1,
                max_size=6,
            )
            | st.sampled_from(["restart", "rescale"]),
            max_size=6,
        ),
    )
)


def fed(harness: Any, dtype: pl.DataType, events: list[Any]) -> tuple[list[Any], Any]:
    """All values that were given, and the answer: rows, or why there are none."""
    empty = pl.DataFrame(schema={"k": pl.Int64, "v": dtype})
    window = Window(harness, TOTALS, empty)
    given: list[Any] = []
    try:
        for event in events:
            if isinstance(event, str):
                window.restart(rescaled=event == "rescale")
            else:
                given += event
                window.rows(pl.DataFrame({"k": 1, "v": pl.Series(event, dtype=dtype)}))
        return given, window.close()
    except DataError as error:
        return given, str(error)


@settings(max_examples=50, deadline=None)
@given(WHOLE)
def test_sums_and_means_of_integers_are_exact_or_an_error(harness: Any, drawn: Any) -> None:
    given, found = fed(harness, *drawn)
    values = [value for value in given if value is not None]
    if not given:
        assert found == []
    elif not -(2**63) <= sum(values) < 2**63:
        assert found.startswith("total: the sum does not fit a 64-bit integer")
    else:
        [row] = found
        assert row["total"] == sum(values)
        assert row["mean"] == (sum(values) / len(values) if values else None)


MONEY = st.lists(
    st.lists(
        st.none()
        | st.decimals(-(10**34), 10**34, places=3, allow_nan=False)
        | st.sampled_from([Decimal("9" * 35 + ".999"), Decimal("-" + "9" * 35 + ".999")]),
        min_size=1,
        max_size=6,
    )
    | st.sampled_from(["restart", "rescale"]),
    max_size=6,
)


@settings(max_examples=50, deadline=None)
@given(MONEY)
def test_sums_and_means_of_decimals_are_exact_or_an_error(harness: Any, events: list[Any]) -> None:
    given, found = fed(harness, pl.Decimal(38, 3), events)
    values = [Fraction(value) for value in given if value is not None]
    if not given:
        assert found == []
    elif abs(sum(values)) >= 10**35 or values and abs(sum(values) / len(values)) >= 10**32:
        assert isinstance(found, str)
        assert "does not fit Decimal(precision=38" in found
    else:
        [row] = found
        assert Fraction(row["total"]) == sum(values)
        if values:
            exact = sum(values) / len(values) * 10**6
            assert abs(Fraction(row["mean"]) * 10**6 - exact) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("dtype", "values", "total", "mean"),
    [
        (pl.Int64(), [2**62] * 4, None, 2.0**62),
        (pl.Int64(), [2**63 - 1, 2**63 - 1, -(2**63 - 1)], 2**63 - 1, (2**63 - 1) / 3),
        (pl.UInt64(), [2**64 - 1, 0, None], None, (2**64 - 1) / 2),
        (pl.UInt64(), [2**63 - 1, 0], 2**63 - 1, (2**63 - 1) / 2),
        (pl.UInt8(), [255] * 300, 255 * 300, 255.0),
        (pl.Int32(), [2**31 - 1] * 3, 3 * (2**31 - 1), 2.0**31 - 1),
        (pl.UInt32(), [2**32 - 1] * 3, 3 * (2**32 - 1), 2.0**32 - 1),
        (pl.Boolean(), [True, True, False, None], 2, 2 / 3),
        (pl.Int64(), [None], 0, None),
        (pl.Float32(), [1.5, None], 1.5, 1.5),
        (pl.Decimal(18, 2), [Decimal("0.10")] * 3, Decimal("0.30"), Decimal("0.100000")),
        (pl.Decimal(18, 2), [Decimal("0.01"), None, Decimal(0)], Decimal("0.01"),
         Decimal("0.005000")),
        (pl.Decimal(18, 2), [None], Decimal("0.00"), None),
    ],
)  # fmt: skip
def test_sums_and_means(harness: Any, dtype: Any, values: Any, total: Any, mean: Any) -> None:
    frame = pl.DataFrame({"v": pl.Series(values, dtype=dtype)})
    if total is None:
        with pytest.raises(DataError, match="^total: the sum does not fit a 64-bit integer"):
            once(harness, {"total": TOTALS["total"]}, frame)
    else:
        assert once(harness, {"total": TOTALS["total"]}, frame)["total"] == total
    assert once(harness, {"mean": TOTALS["mean"]}, frame)["mean"] == mean


def test_the_type_of_a_sum_is_known_before() -> None:
    columns = {
        "k": pl.Int64(), "u": pl.UInt8(), "d": pl.Decimal(18, 2), "f": pl.Float32(),
        "b": pl.Boolean(),
    }  # fmt: skip
    every = {f"s{c}": Aggregate(K.SUM, c) for c in "udfb"}
    every |= {f"m{c}": Aggregate(K.MEAN, c) for c in "udfb"}
    found = output_schema(asked(every), [Schema(columns)]).columns
    assert [found[f"s{c}"] for c in "udfb"] == [
        pl.Int64(), pl.Decimal(38, 2), pl.Float64(), pl.Int64()
    ]  # fmt: skip
    assert [found[f"m{c}"] for c in "udfb"] == [
        pl.Float64(), pl.Decimal(38, 6), pl.Float64(), pl.Float64()
    ]  # fmt: skip


NAN = math.nan


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, NAN, None], {"n": 2, "s": NAN, "m": NAN, "low": 1.0, "high": NAN}),
        ([NAN], {"n": 1, "s": NAN, "m": NAN, "low": NAN, "high": NAN}),
        ([None], {"n": 0, "s": 0.0, "m": None, "low": None, "high": None}),
        ([math.inf, 1.0], {"n": 2, "s": math.inf, "m": math.inf, "low": 1.0, "high": math.inf}),
    ],
)
def test_nan_is_a_value_and_the_greatest(harness: Any, values: Any, expected: Any) -> None:
    kinds = {"n": K.COUNT, "s": K.SUM, "m": K.MEAN, "low": K.MIN, "high": K.MAX}
    every = {name: Aggregate(kind, "v") for name, kind in kinds.items()}
    row = once(harness, every, pl.DataFrame({"v": pl.Series(values, dtype=pl.Float64)}))
    assert repr({name: row[name] for name in expected}) == repr(expected)


def test_nan_of_zero_by_zero_is_not_no_value(harness: Any) -> None:
    frame = pl.DataFrame({"a": [0.0, None], "b": [0.0, 1.0]})
    every = {"m": Aggregate(K.MEAN, pl.col("a") / pl.col("b")), "n": Aggregate(K.COUNT, "a")}
    row = once(harness, every, frame)
    assert math.isnan(row["m"])
    assert row["n"] == 1


@pytest.mark.parametrize(
    "values",
    [
        pl.Series(["b", "a", None]),
        pl.Series([True, False, None]),
        pl.Series([b"b", b"a", None]),
        pl.Series(["2.20", "1.10", None]).cast(pl.Decimal(18, 2)),
        pl.Series(["2024-01-02", "2024-01-01", None]).str.to_date(),
        pl.Series([5, 3, None], dtype=pl.Duration("ms")),
        pl.Series([5, 3, None], dtype=pl.Datetime("us", "Europe/Berlin")),
        pl.Series([2**64 - 1, 0, None], dtype=pl.UInt64),
        pl.Series([5, 3, None], dtype=pl.Time),
        pl.Series(["b", "a", None]).cast(pl.Enum(["a", "b"])),
    ],
    ids=lambda series: str(series.dtype),
)
def test_least_and_greatest_of_what_has_an_order(harness: Any, values: pl.Series) -> None:
    every = {"low": Aggregate(K.MIN, "v"), "high": Aggregate(K.MAX, "v")}
    row = once(harness, every, pl.DataFrame({"v": values}))
    assert [row["low"], row["high"]] == [values[1], values[0]]


@pytest.mark.parametrize(
    ("aggregate", "message"),
    [
        (Aggregate(K.MAX, "o"), "x: max of Struct({'a': Int64}), which has no order; give one of "
         "its fields, its length, or a text of it"),
        (Aggregate(K.MIN, "l"), "x: min of List(Int64), which has no order; give one of its "
         "fields, its length, or a text of it"),
        (Aggregate(K.SUM, "l"), "x: sum of List(Int64); give a column of numbers"),
        (Aggregate(K.MEAN, "s"), "x: mean of String; give a column of numbers"),
        (Aggregate(K.COUNT, None, "n"),
         "x: where is Int64, not true or false; write a condition such as where amount > 0"),
        (Aggregate(K.COUNT, "s", pl.col("n") + 1),
         "x: where is Int64, not true or false; write a condition such as where amount > 0"),
        (Aggregate(K.LAST, "s", "s"),
         "x: where is String, not true or false; write a condition such as where amount > 0"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(aggregate: Aggregate, message: str) -> None:
    columns = {
        "k": pl.Int64(), "n": pl.Int64(), "s": pl.String(), "l": pl.List(pl.Int64()),
        "o": pl.Struct({"a": pl.Int64()}),
    }  # fmt: skip
    with pytest.raises(ConfigurationError) as error:
        output_schema(asked({"x": aggregate}), [Schema(columns)])
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (Aggregate(K.COUNT, "1"), 5),
        (Aggregate(K.SUM, "1"), 5),
        (Aggregate(K.SUM, pl.lit(2)), 10),
        (Aggregate(K.COUNT, None, "1 = 1"), 5),
        (Aggregate(K.COUNT, None, "1 = 2"), 0),
        (Aggregate(K.SUM, "3", "v > 1"), 9),
        (Aggregate(K.MEAN, "2"), 2.0),
        (Aggregate(K.MIN, "7", "1 = 1"), 7),
        (Aggregate(K.LAST, pl.lit("x")), "x"),
    ],
)
def test_a_constant_is_a_value_of_every_row(
    harness: Any, aggregate: Aggregate, expected: Any
) -> None:
    assert once(harness, {"x": aggregate}, pl.DataFrame({"v": range(5)}))["x"] == expected


ROWS_IN_ORDER = st.lists(
    st.fixed_dictionaries(
        {
            "t": st.integers(0, 3),
            "a": st.none() | st.integers(0, 2),
            "b": st.none() | st.sampled_from(["x", "y"]),
            "w": st.none() | st.booleans(),
        }
    ),
    min_size=1,
    max_size=20,
)
PICKS = {
    "first_a": Aggregate(K.FIRST, "a"),
    "first_b": Aggregate(K.FIRST, "b"),
    "last_a": Aggregate(K.LAST, "a"),
    "last_b": Aggregate(K.LAST, "b"),
    "last_o": Aggregate(K.LAST, "o"),
    "last_w": Aggregate(K.LAST, "b", where="w"),
    "first_w": Aggregate(K.FIRST, "a", where="w"),
}


@settings(max_examples=50, deadline=None)
@given(ROWS_IN_ORDER, st.randoms(use_true_random=False), st.booleans())
def test_first_and_last_are_of_one_row_by_time_and_place(
    harness: Any, rows: list[dict[str, Any]], random: Any, restart: bool
) -> None:
    types = {"t": pl.Int64, "a": pl.Int64, "b": pl.String, "w": pl.Boolean}
    frame = pl.DataFrame(rows, schema=types).with_row_index(ORDER)
    frame = frame.with_columns(
        pl.col(ORDER).cast(pl.Int128), pl.col("t").alias(TIME), k=1, o=pl.struct("a", "b")
    )
    order = sorted(rows, key=lambda row: row["t"])
    true = [row for row in order if row["w"]]
    numbers = list(range(frame.height))
    random.shuffle(numbers)
    window = Window(harness, PICKS, frame)
    while numbers:
        batch = [numbers.pop() for _ in range(min(3, len(numbers)))]
        window.rows(frame[sorted(batch)])
        if restart:
            window.restart(rescaled=True)
    [row] = window.close()
    assert {name: row[name] for name in PICKS} == {
        "first_a": order[0]["a"],
        "first_b": order[0]["b"],
        "last_a": order[-1]["a"],
        "last_b": order[-1]["b"],
        "last_o": {"a": order[-1]["a"], "b": order[-1]["b"]},
        "last_w": true[-1]["b"] if true else None,
        "first_w": true[0]["a"] if true else None,
    }


def test_without_a_place_rows_of_one_time_are_told_apart_by_their_values(harness: Any) -> None:
    every = {"a": Aggregate(K.LAST, "a"), "b": Aggregate(K.LAST, "b")}
    frame = pl.DataFrame({"k": 1, "a": [1, 2, 2], "b": ["z", None, "c"]})
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        window = Window(harness, every, frame)
        for number in order:
            window.rows(frame[[number]])
        [row] = window.close()
        assert (row["a"], row["b"]) == (2, "c")


def test_state_of_an_older_version_is_restored(harness: Any) -> None:
    """Sums were Int64, and every first and last had a time of its own and no place."""
    every = {**TOTALS, "f": Aggregate(K.FIRST, "v"), "l": Aggregate(K.LAST, "v")}
    old = pl.DataFrame(
        {
            "__pane": [0, 0], "k": [1, 2],
            "__agg:total": [2**62, 5], "__agg:mean": [2**62, 5], "__num:mean": [1, 1],
            "__agg:f": [7, 5], "__at:f": [1, 3], "__agg:l": [7, 5], "__at:l": [1, 3],
            "__rows": [1, 1],
        }
    )  # fmt: skip
    old = renamed(old)
    rows = pl.DataFrame({"k": [1, 1], "v": [2**62 - 4, 3], TIME: [2, 0]})
    window = Window(harness, every, rows)
    window.restart([StepState((Segment("1-0", renamed(old)),), {"watermark": None})])
    window.rows(rows)
    window.restart()
    found = {row["k"]: row for row in window.close()}
    names = ("total", "mean", "f", "l")
    assert [found[1][name] for name in names] == [2**63 - 1, (2**63 - 1) / 3, 3, 2**62 - 4]
    assert [found[2][name] for name in names] == [5, 5.0, 5, 5]


def test_a_sum_of_another_kind_is_not_taken_over(harness: Any) -> None:
    old = renamed(pl.DataFrame({"__pane": [0], "k": [1], "__agg:total": [1.5], "__rows": [1]}))
    frame = pl.DataFrame(schema={"k": pl.Int64, "v": pl.Int64})
    window = Window(harness, {"total": TOTALS["total"]}, frame)
    with pytest.raises(ConfigurationError, match="has a sum of Float64, the job makes one of Int"):
        window.restart([StepState((Segment("1-0", old),), {"watermark": None})])
