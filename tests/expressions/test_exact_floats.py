"""A quotient or a rounded float is the same alone and among other rows, and the one of IEEE 754."""

from __future__ import annotations

import decimal
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.errors import ConfigurationError
from raystream.expressions.compiled import compiled

SCHEMA = {"f": pl.Float64(), "i": pl.Int64(), "l": pl.List(pl.Float64)}
FLOATS = st.floats(-1e9, 1e9) | st.integers(-(10**6), 10**6).map(lambda n: n / 1000)
C, E = pl.col, pl.element()
DIVISORS = st.sampled_from([3, 7, 10, 100, 0.1, 1e8, -3.5])


def computed(written: Any, rows: list[Any]) -> list[Any]:
    frame = pl.DataFrame(
        {"f": [float(x) for x in rows], "i": [int(x) for x in rows], "l": [[x] for x in rows]},
        schema=SCHEMA,
    )
    value = compiled(written, SCHEMA).value
    whole = frame.select(value).to_series().to_list()
    alone = [frame[n : n + 1].select(value).to_series()[0] for n in range(len(rows))]
    assert whole == [x.to_list() if isinstance(x, pl.Series) else x for x in alone]
    return whole


@settings(max_examples=30, deadline=None)
@given(st.lists(FLOATS, min_size=2, max_size=8), DIVISORS)
def test_a_quotient_by_one_number_is_that_of_ieee_754(rows: list[float], by: float) -> None:
    assert computed(f"f / {by!r}", rows) == [x / by for x in rows]
    assert computed(f"i / {by!r}", rows) == [int(x) / by for x in rows]
    assert computed(C("f") / by, rows) == [x / by for x in rows]
    assert computed((C("f") / by + 1) / by, rows) == [(x / by + 1) / by for x in rows]
    assert computed(C("l").list.eval(E / by), rows) == [[x / by] for x in rows]


@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_a_quotient_by_zero_has_the_sign_of_both(zero: float) -> None:
    rows = [7.0, -7.0, math.inf, -math.inf, 5.0]
    right = [math.copysign(math.inf, x) * math.copysign(1.0, zero) for x in rows]
    finite = [row for row in rows if math.isfinite(row)]
    schema = {"f": pl.Float64()}
    for written in (C("f") / zero, C("f").cast(pl.Float32) / zero):
        value = compiled(written, schema).value
        assert pl.DataFrame({"f": rows}).select(value).to_series().to_list() == right
    assert computed(C("l").list.eval(E / zero), finite) == [
        [x] for x, row in zip(right, rows, strict=True) if math.isfinite(row)
    ]


def test_a_quotient_by_a_zero_in_sql() -> None:
    for text in ("f / 0", "i / 0", "f / 0.0", "i / 0.0", "f / (1 - 1)", "i / cast(0 as double)"):
        assert computed(text, [7, -7]) == [math.inf, -math.inf]
        assert computed(f"{text} > 0", [7, -7]) == [True, False]


@settings(max_examples=30, deadline=None)
@given(st.lists(FLOATS, min_size=2, max_size=20), st.integers(0, 8))
def test_a_float_is_rounded_by_what_it_is(rows: list[float], digits: int) -> None:
    step, many = Decimal(1).scaleb(-digits), decimal.Context(prec=60)
    rows = [*rows, 2.675, 1.005, -2.675, 0.5, -0.5, 0.285]
    exact = [Decimal(x).quantize(step, decimal.ROUND_HALF_UP, many) for x in rows]
    assert computed(f"round(f, {digits})", rows) == [float(x) for x in exact]


def test_a_whole_list_is_not_divided_by_one_number() -> None:
    with pytest.raises(ConfigurationError, match="quotient of whole lists"):
        compiled(C("l") / 3, SCHEMA)


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("2024-01-05 10:00:00.5", "%Y-%m-%d %H:%M:%S.%f", "2024-01-05 10:00:00.500000"),
        ("2024-01-05 10:00:00.123456", "%Y-%m-%d %H:%M:%S.%f", "2024-01-05 10:00:00.123456"),
        ("2024-01-05 10:00:00.123", "yyyy-MM-dd HH:mm:ss.SSS", "2024-01-05 10:00:00.123"),
        ("2024-01-05 12:00:00+0200", "%Y-%m-%d %H:%M:%S%z", "2024-01-05 10:00:00"),
        ("05/01/69", "%d/%m/%y", "1969-01-05 00:00:00"),
        ("05/01/68", "%d/%m/%y", "2068-01-05 00:00:00"),
        ("2060-01-05 10:00:00", "%Y-%m-%d %H:%M:%S", "2060-01-05 10:00:00"),
        ("2024-01-05 10:00:60", "%Y-%m-%d %H:%M:%S", None),
        ("20240105100060", "%Y%m%d%H%M%S", None),
        ("2024-01-05 24:00:00", "%Y-%m-%d %H:%M:%S", None),
    ],
)
def test_text_of_a_format_is_read_whole_or_not_at_all(
    text: str, pattern: str, found: str | None
) -> None:
    schema = {"s": pl.String()}
    made = compiled(f"strptime(s, '{pattern}')", schema)
    assert made.dtype == pl.Datetime("us")
    row = pl.DataFrame({"s": [text]})
    if found is None:
        assert row.select(made.error).item() == (
            f"the text is not of this format in strptime(s, '{pattern}')"
        )
        return
    assert row.select(made.error).item() is None
    value = row.select(made.value).to_series()
    assert value.dtype == made.dtype
    assert value[0] == datetime.fromisoformat(found)


@pytest.mark.parametrize("pattern", ["%Y-%m-%d %Z", "%H", "%Q"])
def test_a_format_that_tells_no_instant_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError):
        compiled(f"strptime(s, '{pattern}')", {"s": pl.String()})


def test_fractions_are_written_as_they_are_read() -> None:
    found = compiled("strftime(t, '%S.%f')", {"t": pl.Datetime("us")})
    assert pl.DataFrame({"t": [1_500_000]}).cast(pl.Datetime("us")).select(found.value).item() == (
        "01.500000"
    )
