"""Values that a user's function may give, odd ones among them: made anew by each call."""

# ruff: noqa: DTZ001, DTZ901, E501
from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import math
import pathlib
import re
import sys
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl


class IntKind(enum.IntEnum):
    A = 1


class TextKind(enum.StrEnum):
    A = "a"


class Kind(enum.Enum):
    A = 1


@dataclasses.dataclass
class Data:
    x: int = 1


class Evil:
    def __bool__(self) -> bool:
        raise ValueError("no truth")

    def __repr__(self) -> str:
        raise ValueError("no text")


class Text(str):
    __slots__ = ()


class Items(list[int]):
    pass


Named = collections.namedtuple("Named", "x y")  # noqa: PYI024


async def _coroutine() -> int:
    await asyncio.sleep(0)
    return 1


def _closed() -> Any:
    made = _coroutine()
    made.close()
    return made


def _itself() -> Any:
    made: list[Any] = []
    made.append(made)
    return made


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NUMBERS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 2**127, 2**200, -(2**63),
    0.0, -0.0, 1.5, math.nan, -math.nan, math.inf, 1e308, 5e-324, 1j,
    decimal.Decimal("1.10"), decimal.Decimal("NaN"), decimal.Decimal("Infinity"),
    decimal.Decimal(10) ** 40, decimal.Decimal("1E+3"), fractions.Fraction(1, 3),
    fractions.Fraction(1, 2), IntKind.A, Kind.A,
)  # fmt: skip
OF_NUMPY: tuple[Any, ...] = (
    np.int8(1), np.uint64(2**64 - 1), np.float16(1.1), np.float32(1.1), np.float64(1.5),
    np.longdouble(1.5), np.float64("nan"), np.bool_(True), np.str_("a"), np.bytes_(b"a"),
    np.datetime64("2024-01-01T00:00:00"), np.datetime64("2024-01-01T00:00:00.000000001"),
    np.datetime64("NaT"), np.timedelta64(1, "s"), np.void(b"a"), np.ma.masked,
    np.array(1), np.array([1]), np.array([1, 2]), np.array([[1, 2], [3, 4]]),
    np.array([1, "a"], dtype=object),
)  # fmt: skip
TEXTS: tuple[Any, ...] = (
    "", "a", "a\0b", "\ud800", "e\u0301", "\u00e9", b"", b"\xff", bytearray(b"x"),
    memoryview(b"x"), Text("a"), TextKind.A, pathlib.PurePath("a"), uuid.UUID(int=1),
    ipaddress.ip_address("192.0.2.1"),
)  # fmt: skip
TIMES: tuple[Any, ...] = (
    dt.date(2024, 1, 1), dt.date.max, dt.datetime(2024, 1, 1, 1, 2, 3, 4), dt.datetime.min,
    dt.datetime.max, dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
    dt.datetime(2024, 1, 1, tzinfo=BERLIN), dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
    dt.time(1, 2, 3, 4), dt.time(1, tzinfo=dt.UTC), dt.timedelta(microseconds=1), dt.timedelta.max,
)  # fmt: skip
HOLDING: tuple[Callable[[], Any], ...] = (
    list, lambda: [1], lambda: [None], lambda: [1, "a"], lambda: [1, 2.5], lambda: [[]],
    lambda: (1, 2), lambda: {1}, lambda: frozenset([1]), lambda: collections.deque([1]),
    lambda: range(2), lambda: Items([1]), dict, lambda: {"a": 1}, lambda: {1: 1},
    lambda: {"a": None}, lambda: {"a": {"b": [{"c": 1}]}}, lambda: collections.OrderedDict(a=1),
    lambda: types.MappingProxyType({"a": 1}), lambda: Named(1, 2), Data, _itself,
)  # fmt: skip
NO_VALUES: tuple[Callable[[], Any], ...] = (
    object, Evil, _closed, lambda: (n for n in [1]), lambda: len, lambda: int, lambda: sys,
    lambda: ..., lambda: NotImplemented, lambda: ValueError("x"), lambda: re.match("a", "a"),
    lambda: pl.Series([1]), lambda: pl.col("a"), lambda: pl.DataFrame({"a": [1]}), lambda: pl.Int64,
)  # fmt: skip


def odd_values() -> list[Any]:
    """One of each kind."""
    made = [make() for make in (*HOLDING, *NO_VALUES)]
    return [*NUMBERS, *OF_NUMPY, *TEXTS, *TIMES, *made]
