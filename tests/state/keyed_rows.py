"""Rows with keys of every type, and the policies under which tables are tried."""

from __future__ import annotations

import datetime as dt
import decimal as dc
import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from hypothesis import strategies as st

from raystream.state.run import RunPolicy

KEYS: dict[str, tuple[pl.DataType, list[Any]]] = {
    "int": (pl.Int64(), [None, 0, 1, -1, 5, 2**62]),
    "text": (pl.String(), [None, "", "a", "b", "10.0.0.1", "x" * 40]),
    "float": (pl.Float64(), [None, 0.0, -0.0, math.nan, 1.5, -1.5]),
    "date": (pl.Date(), [None, dt.date(2024, 1, 1), dt.date(2024, 1, 2)]),
    "decimal": (pl.Decimal(10, 2), [None, dc.Decimal("1.50"), dc.Decimal("0.00")]),
    "bool": (pl.Boolean(), [None, True, False]),
    "binary": (pl.Binary(), [None, b"", b"a"]),
    "list": (pl.List(pl.Int64()), [None, [], [1], [1, 2]]),
    "object": (pl.Struct({"a": pl.Int64()}), [None, {"a": 1}, {"a": 2}, {"a": None}]),
}

kinds = st.sampled_from(list(KEYS))

policies = st.builds(
    RunPolicy,
    ratio=st.integers(2, 4),
    memtable=st.integers(1, 8),
    slack=st.sampled_from([0.3, 1.0, 100.0]),
    directory_rows=st.sampled_from([2, 2_000_000]),
    bisect_rows=st.just(2),
    hash_bits=st.sampled_from([64, 64, 2, 0]),
)
"""Hashes of 2 and 0 bits: keys collide."""

Key = tuple[Any, int]


def schema(kind: str, more: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Key columns `k` (of the kind) and `j`, and more."""
    return {"k": KEYS[kind][0], "j": pl.Int32(), **more}


def frame(
    kind: str, rows: Sequence[tuple[Any, ...]], more: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    """Rows (number of a key, j, values of `more`)."""
    pool = KEYS[kind][1]
    data = [(pool[row[0] % len(pool)], *row[1 : 2 + len(more)]) for row in rows]
    return pl.DataFrame(data, schema=schema(kind, more), orient="row")


def every_key(kind: str) -> pl.DataFrame:
    """All keys there are."""
    numbers = range(len(KEYS[kind][1]))
    return frame(kind, [(number, j) for number in numbers for j in (0, 1)], {})


def keys_of(rows: pl.DataFrame) -> list[Key]:
    """As Python compares them, but for NaN, which is one key."""
    return [(_canonical(k), j) for k, j in rows.select("k", "j").iter_rows()]


def _canonical(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value + 0.0
    if isinstance(value, list):
        return tuple(value)
    return tuple(value.items()) if isinstance(value, dict) else value
