"""The type that holds every value of two types exactly, if there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

import polars as pl

_SIGNED: Mapping[pl.DataType, int] = {pl.Int8(): 8, pl.Int16(): 16, pl.Int32(): 32, pl.Int64(): 64}
_UNSIGNED: Mapping[pl.DataType, int] = {
    pl.UInt8(): 8,
    pl.UInt16(): 16,
    pl.UInt32(): 32,
    pl.UInt64(): 64,
}
_FLOAT: Mapping[pl.DataType, int] = {pl.Float32(): 24, pl.Float64(): 53}
"""Bits of the whole numbers that it holds without a gap."""

_MOST_DIGITS = 38


def widest(types: Iterable[pl.DataType]) -> pl.DataType | None:
    """The narrowest type that holds every value of all of them; None: no type does.

    >>> widest([pl.Int32(), pl.Int64()]), widest([pl.Int64(), pl.Float64()]) is None
    (Int64, True)
    """
    start: pl.DataType | None = pl.Null()
    return reduce(_wider, types, start)


def _wider(one: pl.DataType | None, other: pl.DataType | None) -> pl.DataType | None:
    if one is None or other is None:
        return None
    if other in (one, pl.Null()):
        return one
    if one == pl.Null:
        return other
    if isinstance(one, pl.Decimal) or isinstance(other, pl.Decimal):
        return _decimal(one, other)
    if one in _FLOAT or other in _FLOAT:
        return _float(one, other)
    return _integer(one, other)


def _integer(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    if one in _UNSIGNED and other in _UNSIGNED:
        return max(one, other, key=lambda kind: _UNSIGNED[kind])
    bits = [_signed_bits(kind) for kind in (one, other)]
    needed = max((each for each in bits if each is not None), default=0)
    if None in bits:
        return None
    return next((kind for kind, has in _SIGNED.items() if has >= needed), None)


def _signed_bits(dtype: pl.DataType) -> int | None:
    """Bits of a signed integer that holds all of them."""
    return _SIGNED.get(dtype) or (_UNSIGNED[dtype] + 1 if dtype in _UNSIGNED else None)


def _float(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    bits = [_FLOAT.get(kind) or _whole_bits(kind) for kind in (one, other)]
    if None in bits:
        return None
    needed = max(each for each in bits if each is not None)
    return next((kind for kind, has in _FLOAT.items() if has >= needed), None)


def _whole_bits(dtype: pl.DataType) -> int | None:
    """Bits without the sign; the least number, a power of two, needs no more of anything."""
    return _SIGNED[dtype] - 1 if dtype in _SIGNED else _UNSIGNED.get(dtype)


def _decimal(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    sizes = [_digits(kind) for kind in (one, other)]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    before, behind = (max(size[place] for size in known) for place in (0, 1))
    return pl.Decimal(before + behind, behind) if before + behind <= _MOST_DIGITS else None


def _digits(dtype: pl.DataType) -> tuple[int, int] | None:
    """Digits in front of and behind the point."""
    if isinstance(dtype, pl.Decimal):
        return (dtype.precision or _MOST_DIGITS) - dtype.scale, dtype.scale
    bits = _whole_bits(dtype)
    return None if bits is None else (len(str(2**bits)), 0)
