"""A function of a time beyond the years 1 to 9999 has no answer: an error, never a null."""

from __future__ import annotations

import polars as pl
import pytest

from raystream.expressions.compiled import compiled
from raystream.expressions.problem import BadExpression
from raystream.expressions.registry import FUNCTIONS
from raystream.expressions.times import PARTS

DAY_US = 86_400_000_000
FAR = [-719_163 * DAY_US, 2_932_897 * DAY_US, -(2**63), 2**63 - 1]
NEAR = [-719_162 * DAY_US, 2_932_897 * DAY_US - 1, 0, None]
WRITTEN = [
    *(f"{part}(t)" for part in PARTS),
    *(f"extract({part} from t)" for part in PARTS),
    "date_trunc('hour', t)",
    "date_trunc('year', t)",
    "date_diff('day', t, t)",
    "date_diff('month', t, timestamp '2024-01-01')",
    "last_day(t)",
    "to_date(t)",
    "strftime(t, '%Y')",
    "epoch_ms(t)",
    "epoch_us(t)",
    "monthname(t)",
    "dayname(t)",
    "t + interval '0 days'",
    "date_add('day', 0, t)",
    "cast(t as varchar)",
    "t at time zone 'UTC'",
]


@pytest.mark.parametrize("text", ["date '0000-01-01'", "t > '0000-01-01'", "t > '10000-01-01'"])
def test_a_time_that_is_written_out_is_within_them(text: str) -> None:
    with pytest.raises(BadExpression, match="is not a valid"):
        compiled(text, {"t": pl.Date()})


def test_dates_beyond_them_are_errors() -> None:
    days = pl.Series("t", [-719_163, 2_932_897, -(2**31), 2**31 - 1, -719_162, 2_932_896, None])
    dates = days.cast(pl.Int32).cast(pl.Date)
    for text in WRITTEN:
        if "epoch" in text or "at time zone" in text or text == "cast(t as date)":
            continue
        found = compiled(text, {"t": pl.Date()})
        assert found.error is not None, text
        told = errors(dates, found.error)
        assert None not in told[:4], text
        assert not any(told[4:]), text


def test_nanoseconds_are_in_the_text() -> None:
    times = pl.Series("t", [1_000_000_001, 1_000_000_000, 1_500_000_000]).cast(pl.Datetime("ns"))
    frame = times.to_frame().with_columns(clock=pl.col("t").dt.time())
    for text, start in (("cast(t as varchar)", "1970-01-01 "), ("cast(clock as varchar)", "")):
        found = frame.select(compiled(text, frame.schema).value).to_series().to_list()
        assert found == [f"{start}00:00:01{end}" for end in (".000000001", "", ".5")]


@pytest.mark.parametrize("unit", ["us", "ms"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_it_is_an_error(zone: str | None, unit: pl.datatypes.TimeUnit) -> None:
    counts = pl.Series("t", [*FAR, *NEAR]).cast(pl.Int64)
    counts = counts if unit == "us" else counts // 1000
    times = counts.cast(pl.Datetime(unit)).dt.replace_time_zone(zone)
    silent = []
    for text in WRITTEN:
        found = compiled(text, {"t": times.dtype})
        far = [None] * len(FAR) if found.error is None else errors(times, found.error)[: len(FAR)]
        near = [] if found.error is None else errors(times, found.error)[len(FAR) :]
        if unit == "ms":  # the ends of 64 bits in milliseconds are far, too
            assert len(far) == len(FAR)
        silent += [text] if None in far or any(near) else []
    assert silent == []


def errors(times: pl.Series, error: pl.Expr) -> list[str | None]:
    return times.to_frame().select(error.alias("e")).to_series().to_list()


def test_limits_of_the_column_prove_that_there_are_none() -> None:
    found = compiled("hour(t)", {"t": pl.Datetime("us")})
    assert found.never is not None
    assert found.never({"t": (NEAR[0] or 0, NEAR[1] or 0)})
    assert not found.never({"t": (0, FAR[1])})
    assert compiled("hour(t)", {"t": pl.Datetime("ns")}).error is None
    assert {"isoyear", "make_date"} <= {function.name for function in FUNCTIONS}
