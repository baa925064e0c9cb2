"""The type of a union holds every value of its inputs exactly, and is the narrowest that does."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from raystream.data.widen import widest

SIGNED = [pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64()]
UNSIGNED = [pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()]
FLOATS = [pl.Float32(), pl.Float64()]
DECIMALS = [pl.Decimal(9, 2), pl.Decimal(20, 0), pl.Decimal(38, 0), pl.Decimal(30, 12)]
OTHERS = [pl.String(), pl.Boolean(), pl.Date(), pl.Datetime("ms"), pl.List(pl.Int8()), pl.Null()]
TYPES = [*SIGNED, *UNSIGNED, *FLOATS, *DECIMALS, *OTHERS]


def extremes(kind: pl.DataType) -> pl.Series:
    """The least, the greatest and the finest values of a type of numbers."""
    if isinstance(kind, pl.Decimal):
        digits = "9" * kind.precision
        most = f"{digits[kind.scale :]}.{digits[: kind.scale]}".rstrip(".")
        return pl.Series([Decimal(most), Decimal(f"-{most}"), Decimal(1)], dtype=kind)
    if kind.is_float():
        bits = 24 if kind == pl.Float32() else 53
        return pl.Series([2.0**bits - 1, -(2.0**bits) + 1, 0.5, 1e30, float("inf")], dtype=kind)
    if not kind.is_integer():
        return pl.Series([None], dtype=kind)
    least, most = pl.select(kind.min(), kind.max().alias("most")).row(0)
    return pl.Series([least, most, most - 1, 0], dtype=kind)


def test_every_value_is_the_same_in_the_wider_type() -> None:
    for pair in itertools.product(TYPES, TYPES):
        wide = widest(pair)
        assert widest(reversed(pair)) == wide
        for kind in pair if wide is not None else ():
            values = extremes(kind)
            there = values.cast(wide)
            assert there.cast(kind).to_list() == values.to_list(), (pair, wide)
            assert list(map(exact, there)) == list(map(exact, values)), (pair, wide)


def exact(value: Any) -> Any:
    return value if value is None or value == float("inf") else Decimal(value)


def test_nothing_wider_than_needed() -> None:
    assert widest([pl.Int8(), pl.UInt8()]) == pl.Int16()
    assert widest([pl.UInt8(), pl.UInt32()]) == pl.UInt32()
    assert widest([pl.UInt32(), pl.Int8()]) == pl.Int64()
    assert widest([pl.Int16(), pl.Float32()]) == pl.Float32()
    assert widest([pl.Int32(), pl.Float32(), pl.Int8()]) == pl.Float64()
    assert widest([pl.Decimal(9, 2), pl.Decimal(10, 4)]) == pl.Decimal(11, 4)
    assert widest([pl.Decimal(9, 2), pl.Int32()]) == pl.Decimal(12, 2)
    assert widest([pl.Null(), pl.String()]) == pl.String()


@pytest.mark.parametrize(
    "pair",
    [
        (pl.Int64(), pl.Float64()),
        (pl.UInt64(), pl.Int8()),
        (pl.Float64(), pl.Decimal(9, 2)),
        (pl.Decimal(38, 0), pl.Decimal(9, 2)),
        (pl.Int64(), pl.String()),
        (pl.Boolean(), pl.Int8()),
        (pl.Datetime("ms"), pl.Datetime("us")),
        (pl.List(pl.Int8()), pl.List(pl.Int16())),
    ],
)
def test_what_no_type_holds_is_refused(pair: tuple[pl.DataType, ...]) -> None:
    assert widest(pair) is None
