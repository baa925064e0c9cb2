"""Rows with keys of every type, and the policies under which tables are tried."""

from __future__ import annotations

import datetime as dt
import decimal as dc
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from hypothesis import strategies as st

from raystream.state.memory import StateMemory
from raystream.state.run import RunPolicy
from raystream.state.sorted_runs import SortedRuns
from raystream.storage.spill_directory import SpillDirectory

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
    cut_rows=st.sampled_from([1, 4, 2_000_000]),
    pieces=st.integers(1, 4),
    sweep_slack=st.sampled_from([0.1, 0.7, 3.0]),
)
"""Hashes of 2 and 0 bits: keys collide; tables of 2 and 5 rows: they are cut and swept."""

_spills = SpillDirectory(Path(tempfile.mkdtemp()), "tests")


def memory(limit: int | None) -> StateMemory:
    """Memory of a subtask: without a limit, or with runs above so many bytes on disk."""
    return StateMemory(limit, _spills.spill)


limits = st.sampled_from([None, 0, 300, 2_000])
"""Bytes of memory for state: all runs are spilled, some are, none is."""

Key = tuple[Any, int]
T = TypeVar("T", bound=SortedRuns)


def bounded(table: T, policy: RunPolicy) -> T:
    """The table with a limit of memory; which one goes with the policy."""
    table.bounded_by(memory({1: 0, 4: 600}.get(policy.cut_rows)))
    return table


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
