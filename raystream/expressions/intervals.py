"""Lengths of time: `interval '1 day'`, and what they do to a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from raystream.expressions.problem import Problem
from raystream.expressions.values import INTERVAL, Typed

_PART = re.compile(r"\s*([+-]?\d+)\s*([a-z]+)\s*")
MONTHS = {"year": 12, "quarter": 3, "month": 1}
MICROSECONDS = {
    "week": 604_800_000_000,
    "day": 86_400_000_000,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1_000,
    "microsecond": 1,
}


@dataclass(frozen=True, slots=True)
class Interval:
    """A length of time that is written out; months have no fixed length."""

    months: int
    microseconds: int


def unit(word: str) -> str | None:
    """The unit of a word, plural or not; None if it is none."""
    singular = word.lower().removesuffix("s")
    return singular if singular in MONTHS or singular in MICROSECONDS else None


def interval_literal(text: str, at: int) -> Typed:
    """`1 day`, `2 hours 30 minutes`.

    Raises:
        Problem: it is no such text.
    """
    months = microseconds = end = 0
    for found in _PART.finditer(text.lower()):
        which = unit(found[2])
        if found.start() != end or which is None:
            break
        months += int(found[1]) * MONTHS.get(which, 0)
        microseconds += int(found[1]) * MICROSECONDS.get(which, 0)
        end = found.end()
    if end != len(text) or not text.strip():
        message = f"{text!r} is not an interval"
        raise Problem(message, at, "write it like interval '1 day' or interval '90 minutes'")
    if abs(months) > 120_000 or abs(microseconds) >= 2**62:
        message = f"interval {text!r} is longer than 10,000 years"
        raise Problem(message, at)
    value = pl.lit(microseconds, pl.Int64).cast(INTERVAL)
    length = Interval(months, microseconds)
    return Typed(value, INTERVAL, at, (), length, f"interval '{text}'")
