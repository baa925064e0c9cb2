"""Python values of any kind: each is what its column says, or told as what does not fit."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.data.inference import column_type
from raystream.data.rows import to_frame, to_rows
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError


class Word(enum.StrEnum):
    A = "a"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Point:
    x: int = 1


Pair = collections.namedtuple("Pair", "x y")  # noqa: PYI024
NOON = dt.datetime(2024, 5, 1, 12)  # noqa: DTZ001
BERLIN, UTC = ZoneInfo("Europe/Berlin"), dt.UTC
NAIVE, ZONED = pl.Datetime("us"), pl.Datetime("us", "UTC")

TOLD: list[tuple[list[Any], pl.DataType, list[Any]]] = [
    ([Word.A, "b"], pl.String(), ["a", "b"]),
    ([Level.LOW, 2], pl.Int64(), [1, 2]),
    ([np.int8(1), 300, np.int64(5)], pl.Int64(), [1, 300, 5]),
    ([1, np.uint64(2**63)], pl.Int64(), [1]),
    ([1, np.float64(0.5)], pl.Float64(), [1.0, 0.5]),
    ([np.float32(0.5), 0.2], pl.Float64(), [0.5, 0.2]),
    ([np.True_, False, 1], pl.Boolean(), [True, False]),
    ([1, True], pl.Int64(), [1]),
    ([np.str_("a"), "b"], pl.String(), ["a", "b"]),
    ([np.array([1, 2]), [3], (4,)], pl.List(pl.Int64()), [[1, 2], [3], [4]]),
    ([[1], [2.5], [2**53 + 1]], pl.List(pl.Float64()), [[1.0], [2.5]]),
    ([1.5, Fraction(1, 2), Fraction(1, 3)], pl.Float64(), [1.5, 0.5]),
    ([1, 2**70, -(2**63) - 1], pl.Int64(), [1]),
    ([1, Decimal("1.5")], pl.Decimal(38, 1), [Decimal("1.0"), Decimal("1.5")]),
    ([Decimal("1.5"), Decimal("NaN"), 0.5], pl.Decimal(38, 1), [Decimal("1.5")]),
    ([Decimal("1e-45")], pl.Decimal(38, 38), []),
    ([NOON.date(), NOON], NAIVE, [NOON.replace(hour=0), NOON]),
    ([NOON, NOON.replace(tzinfo=UTC)], NAIVE, [NOON]),
    ([NOON.replace(tzinfo=z) for z in (UTC, BERLIN)], ZONED,
     [NOON.replace(tzinfo=UTC), NOON.replace(hour=10, tzinfo=UTC)]),
    ([NOON.replace(tzinfo=BERLIN)], pl.Datetime("us", "Europe/Berlin"),
     [NOON.replace(tzinfo=BERLIN)]),
    ([dt.time(12), dt.time(12, tzinfo=UTC)], pl.Time(), [dt.time(12)]),
    ([b"a", "a"], pl.Binary(), [b"a"]),
    (["a", "\ud800"], pl.String(), ["a"]),
    ([{"a": 1}, {"a": "x"}, {1: 2}], pl.Struct({"a": pl.Int64()}), [{"a": 1}]),
    ([{"a": np.int8(1)}, {"a": True}], pl.Struct({"a": pl.Int64()}), [{"a": 1}]),
    ([(1, 2), Pair(1, 2)], pl.List(pl.Int64()), [[1, 2]]),
    ([1, dt.timedelta(1), None], pl.Int64(), [1, None]),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(TOLD)))
def test_no_value_changes_silently(number: int) -> None:
    values, dtype, kept = TOLD[number]
    told = [v for v in values if not (isinstance(v, dict) and 1 in v)]
    assert column_type("v", told) == dtype
    fitted = to_frame([{"v": value} for value in values], Schema({"v": dtype}))
    assert fitted.frame.schema["v"] == dtype
    assert fitted.frame["v"].to_list() == kept
    assert len(fitted.misfits) == len(values) - len(kept)


@pytest.mark.parametrize(
    "value",
    [{1}, frozenset(), range(3), 1j, Point(), Pair(1, 2), object(), len, {1: 2},
     np.datetime64("now"), bytearray(b"a"), [{1}], {"a": Point()}],
)  # fmt: skip
def test_what_no_column_holds_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="column 'v': no column can hold"):
        column_type("v", [value])


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3),
    st.binary(max_size=2), st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.datetimes(), st.datetimes(timezones=st.just(UTC)), st.dates(), st.times(), st.fractions(),
)  # fmt: skip
ANY = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(st.lists(ANY, min_size=1, max_size=6))
def test_whatever_a_function_gives_is_kept_as_it_is_or_told(values: list[Any]) -> None:
    try:
        dtype = column_type("v", values)
    except ConfigurationError:
        return
    if dtype == pl.Null or "Null" in str(dtype):
        return
    fitted = to_frame([{"v": value} for value in values], Schema({"v": dtype}))
    bad = {misfit.index for misfit in fitted.misfits}
    good = [value for index, value in enumerate(values) if index not in bad]
    assert fitted.frame["v"].to_list() == [like(value, dtype) for value in good]
    assert to_rows(fitted.frame) == fitted.frame.to_dicts()


def like(value: Any, dtype: Any) -> Any:
    """What a value is in a column: equal to it, with fields that are not there null."""
    if isinstance(dtype, pl.Struct) and value is not None:
        return {f.name: like(value.get(f.name), f.dtype) for f in dtype.fields}
    if isinstance(dtype, pl.List) and value is not None:
        return [like(item, dtype.inner) for item in value]
    if isinstance(dtype, pl.Datetime) and type(value) is dt.date:
        return dt.datetime.combine(value, dt.time())
    return value
