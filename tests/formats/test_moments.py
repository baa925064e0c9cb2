"""Columns of moments against Python's own: ISO 8601 in every form, units, the ends of 64 bits."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.errors import ConfigurationError
from raystream.formats import iso8601
from raystream.formats.moments import TOO_LATE, Unit
from raystream.time.limits import EARLIEST_MS, LATEST_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PER_SECOND = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}


def one(text: str, zone: str | None = None) -> int | None:
    found: int | None = iso8601.epoch_ms(pl.Series([text]), zone)[0]
    return found


def ms(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-03-01T10:15Z", "2024-03-01T10:15:00+00:00"),
        ("2024-03-01 10:15:30z", "2024-03-01T10:15:30+00:00"),
        ("2024-03-01T10:15:30+02", "2024-03-01T08:15:30+00:00"),
        ("2024-03-01T10:15:30-0330", "2024-03-01T13:45:30+00:00"),
        ("2024-03-01T10:15:30,25Z", "2024-03-01T10:15:30.250+00:00"),
        ("20240301T101530Z", "2024-03-01T10:15:30+00:00"),
        ("20240301T1015+0530", "2024-03-01T04:45:00+00:00"),
        ("20240301T101530,123456789Z", "2024-03-01T10:15:30.123+00:00"),
        ("2024-03-01T10Z", "2024-03-01T10:00:00+00:00"),
        ("2024-02-29T24:00Z", "2024-03-01T00:00:00+00:00"),
        ("2024-12-31T24:00:00.000Z", "2025-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00+00:00"),
        ("2024-03-01T10:15:30.9999999999Z", "2024-03-01T10:15:30.999+00:00"),
        ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999+00:00"),
        ("1969-12-31T23:59:59.9999+00", "1969-12-31T23:59:59.999+00:00"),
        ("2024-03-01T10:15:30\u221202:00", "2024-03-01T12:15:30+00:00"),
    ],
)
def test_forms_of_iso_8601(text: str, same: str) -> None:
    assert one(text) == ms(same)


@pytest.mark.parametrize(
    ("text", "zone", "reason"),
    [
        ("2024-03-01T10:15", None, "has no zone; write time_zone=, or Z or +02:00 behind it"),
        ("2024-03-01", "UTC", "has no time of day"),
        ("2024-03-31T02:30", "Europe/Berlin", "is a time that the clocks of Europe/Berlin skip"),
        ("2023-02-29T10:00Z", None, "is not a valid date and time of day"),
        ("2024-03-01T24:01Z", None, "is not a valid date and time of day"),
        ("2024-03-01T12:34:60Z", None, "is not a valid date and time of day"),
        ("2024-03-01T10:15+02:75", None, "is not a valid date and time of day"),
        ("2024-13-01T10:15Z", None, "is not a valid date and time of day"),
        ("2024-W10-5T10:15Z", None, "is not ISO 8601, as 2024-03-01T10:15:30.5Z is"),
        ("yesterday", None, "is not ISO 8601, as 2024-03-01T10:15:30.5Z is"),
        ("", None, "is not ISO 8601, as 2024-03-01T10:15:30.5Z is"),
    ],
)
def test_what_is_missing_is_said(text: str, zone: str | None, reason: str) -> None:
    assert one(text, zone) is None
    assert Unit("iso8601", zone).reason(text) == f"event time {text!r} {reason}"


def test_text_without_zone_is_read_by_the_clocks_of_the_zone() -> None:
    assert one("2024-07-01T12:00", "Europe/Berlin") == ms("2024-07-01T10:00+00:00")
    assert one("2024-10-27T02:30", "Europe/Berlin") == ms("2024-10-27T00:30+00:00"), "the first"
    assert one("2024-07-01T12:00Z", "Europe/Berlin") == ms("2024-07-01T12:00+00:00")


MOMENTS = st.datetimes(
    datetime(1, 1, 2), datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from(["T", " "]), st.booleans())
def test_what_python_writes_is_read_as_python_means_it(
    moments: list[datetime], between: str, basic: bool
) -> None:
    texts = [m.isoformat(between) for m in moments]
    if basic:
        texts = [f"{m.year:04d}{m.strftime('%m%dT%H%M%S.%f%z')}" for m in moments]
    found = iso8601.epoch_ms(pl.Series(texts), None).to_list()
    assert found == [(m - EPOCH) // timedelta(milliseconds=1) for m in moments]


@settings(max_examples=100, deadline=None)
@given(st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)), st.sampled_from(  # noqa: DTZ001
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]))  # fmt: skip
def test_local_text_is_what_zoneinfo_says(shown: datetime, name: str) -> None:
    moment = shown.replace(tzinfo=ZoneInfo(name), fold=0)  # the first of two
    skipped = moment.astimezone(UTC).astimezone(ZoneInfo(name)).replace(tzinfo=None) != shown
    right = None if skipped else (moment - EPOCH) // timedelta(milliseconds=1)
    assert one(shown.isoformat(), name) == right


INTEGERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-(2**63), 2**63 - 1, 0, EARLIEST_MS, EARLIEST_MS - 1, LATEST_MS, TOO_LATE]),
)


@settings(max_examples=300, deadline=None)
@given(INTEGERS, st.sampled_from(list(PER_SECOND)))
def test_a_number_is_a_time_of_the_years_1_to_9999_or_none(value: int, unit: str) -> None:
    found = Unit(unit).epoch_ms(pl.Series([value], dtype=pl.Int64))[0]
    right = math.floor(Fraction(value) * 1000 / PER_SECOND[unit])
    if right > LATEST_MS:
        assert found == TOO_LATE
    else:
        assert found == (right if right >= EARLIEST_MS else None)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 1.7e18, -1e15]
)
@pytest.mark.parametrize("unit", list(PER_SECOND))
def test_no_float_wraps(value: float, unit: str) -> None:
    found = Unit(unit).epoch_ms(pl.Series([value]))[0]
    assert found is None or EARLIEST_MS <= found <= TOO_LATE
    if math.isnan(value):
        assert found is None


@given(st.integers(0, 4 * 10**15))
def test_seconds_with_six_decimals_are_exact_to_the_millisecond(micro: int) -> None:
    written = float(f"{micro // 10**6}.{micro % 10**6:06d}")
    assert Unit("s").epoch_ms(pl.Series([written]))[0] == micro // 1000


@pytest.mark.parametrize(
    ("values", "right"),
    [
        (pl.Series([2**64 - 1, 7], dtype=pl.UInt64), [TOO_LATE, 7]),
        (pl.Series([1, None], dtype=pl.Int32), [1, None]),
        (pl.Series([datetime(2024, 1, 1), None]), [ms("2024-01-01T00:00+00:00"), None]),  # noqa: DTZ001
        (pl.Series([datetime(2024, 1, 1, 2, tzinfo=ZoneInfo("Europe/Berlin"))]),
         [ms("2024-01-01T01:00+00:00")]),
        (pl.Series([-1_500], dtype=pl.Datetime("us")), [-2]),
    ],
)  # fmt: skip
def test_other_columns(values: pl.Series, right: list[int | None]) -> None:
    assert Unit("ms").epoch_ms(values).to_list() == right


def test_a_column_that_can_not_be_is_refused() -> None:
    for dtype, unit, words in [
        (pl.String(), "s", "not whole epoch seconds"),
        (pl.Int64(), "iso8601", "not text"),
        (pl.Boolean(), "ms", "no time"),
        (pl.List(pl.Int64()), "ms", "no time"),
    ]:
        with pytest.raises(ConfigurationError, match=words):
            Unit(unit).check(dtype, "ts")


def test_a_reason_names_the_unit_that_it_may_be() -> None:
    told = Unit("ms").reason(1_700_000_000_000_000)
    assert told == (
        "event time 1700000000000000 milliseconds is outside the years 1 to 9999; microseconds? "
        "event_time_unit='us'"
    )
