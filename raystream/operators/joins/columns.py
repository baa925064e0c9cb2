"""Columns of joined rows: one rule for names, one for types of keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from raystream.data.keys import canonical_type
from raystream.data.schema import Schema, no_column
from raystream.errors import ConfigurationError
from raystream.operators.joins.kinds import JoinKind

Pairs = Sequence[tuple[str, str]]
"""Key column of the left stream, and the one of the right stream that it is compared with."""

_INTEGERS = (pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64())


def right_names(
    left: Collection[str], right: Collection[str], on: Pairs, suffix: str
) -> dict[str, str]:
    """Right column -> its name in joined rows, without keys that are merged into the left one.

    A column that the left stream has, too, gets the suffix.

    Raises:
        ConfigurationError: two columns would have one name.

    >>> right_names(["id", "n"], ["id", "n", "m"], [("id", "id")], "_right")
    {'n': 'n_right', 'm': 'm'}
    """
    merged = {theirs for mine, theirs in on if mine == theirs}
    found = {n: n + suffix if n in left else n for n in right if n not in merged}
    taken = set(left)
    for name, new in found.items():
        if new in taken:
            what = f"join: column {name!r} of the other stream would be {new!r}, which exists"
            raise ConfigurationError(what, what_to_do='write another suffix="_other"')
        taken.add(new)
    return found


def joined_schema(left: Schema, right: Schema, on: Pairs, kind: JoinKind, suffix: str) -> Schema:
    """Columns of joined rows: those of the left stream, then those of the right one.

    Raises:
        ConfigurationError: a key does not exist, keys have different types, names collide.
    """
    key_types(left.columns, right.columns, on)
    names = right_names(left.names(), right.names(), on, suffix)
    columns = {n: canonical_type(t) if n in dict(on) else t for n, t in left.columns.items()}
    if not kind.pairs:
        return Schema(columns, left.required)
    columns |= {
        mine: merged_type(left.columns[mine], right.columns[theirs])
        for mine, theirs in on
        if mine == theirs and kind.unmatched(1)
    }
    theirs = {b for _, b in on}
    columns |= {
        new: canonical_type(right.columns[n]) if n in theirs else right.columns[n]
        for n, new in names.items()
    }
    required: set[str] = set() if kind.unmatched(1) else set(left.required)
    if not kind.unmatched(0):
        required |= {new for n, new in names.items() if n in right.required}
    return Schema(columns, frozenset(required))


def key_types(left: Mapping[str, pl.DataType], right: Mapping[str, pl.DataType], on: Pairs) -> None:
    """Check that keys exist and can be compared.

    Raises:
        ConfigurationError: not so.
    """
    for mine, theirs in on:
        for name, columns in ((mine, left), (theirs, right)):
            if name not in columns:
                error = no_column(name, columns)
                whose = "this stream" if columns is left else "the other stream"
                what = f"join: {whose} has {error.what}"
                advice = f'{error.what_to_do}; different names are written on={{"mine": "theirs"}}'
                raise ConfigurationError(what, what_to_do=advice)
        if not _comparable(left[mine], right[theirs]):
            pair = f"{mine!r} of type {left[mine]} and {theirs!r} of type {right[theirs]}"
            what = f"join: {pair} cannot be equal"
            advice = "bring them into one type with with_columns, for example cast(id as bigint)"
            raise ConfigurationError(what, what_to_do=advice)


def merged_type(mine: pl.DataType, theirs: pl.DataType) -> pl.DataType:
    """Type of a key column that holds the values of both streams.

    >>> merged_type(pl.Int32(), pl.UInt32()), merged_type(pl.Int8(), pl.Int64())
    (Int64, Int64)
    """
    one, other = canonical_type(mine), canonical_type(theirs)
    if one == other:
        return one
    for kind in (one, other, *_INTEGERS):
        if _holds(kind, one) and _holds(kind, other):
            return kind
    return pl.Int128()


def _comparable(mine: pl.DataType, theirs: pl.DataType) -> bool:
    one, other = canonical_type(mine), canonical_type(theirs)
    return one == other or (_is_number(one) and _is_number(other))


def _is_number(kind: pl.DataType) -> bool:
    return kind.is_integer() and kind not in (pl.Int128, pl.UInt128)


def _holds(kind: pl.DataType, other: pl.DataType) -> bool:
    return bool(_lowest(kind) <= _lowest(other) and _highest(kind) >= _highest(other))


def _lowest(kind: pl.DataType) -> int:
    return -(2 ** (_bits(kind) - 1)) if kind.is_signed_integer() else 0


def _highest(kind: pl.DataType) -> int:
    return int(2 ** (_bits(kind) - kind.is_signed_integer()) - 1)


def _bits(kind: pl.DataType) -> int:
    return int(str(kind).removeprefix("U").removeprefix("Int"))
