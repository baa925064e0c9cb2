"""Nanoseconds beside coarser times: compared exactly, and never cut without a word."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl
import pytest

from raystream.errors import ConfigurationError
from raystream.expressions.compiled import compiled

COUNTS = [1_000_000_001, 1_000_000_000, 999_999_999, -1, 0, None]
KINDS: dict[str, tuple[Any, Any]] = {
    "moments": (pl.Datetime("ns"), pl.Datetime("us")),
    "milliseconds": (pl.Datetime("ns"), pl.Datetime("ms")),
    "instants": (pl.Datetime("ns", "UTC"), pl.Datetime("us", "Asia/Tokyo")),
    "intervals": (pl.Duration("ns"), pl.Duration("ms")),
}


def rows(kind: str) -> tuple[pl.DataFrame, list[tuple[int | None, int | None]]]:
    fine, coarse = KINDS[kind]
    per = 1000 if coarse.time_unit == "us" else 1_000_000
    pairs = list(itertools.product(COUNTS, [1_000_000_000 // per, 0, -1, None]))
    frame = pl.DataFrame({"n": [n for n, _ in pairs], "u": [u for _, u in pairs]})
    made = frame.select(pl.col("n").cast(fine), pl.col("u").cast(coarse))
    return made, [(n, None if u is None else u * per) for n, u in pairs]


def answers(text: str, frame: pl.DataFrame) -> list[Any]:
    found = compiled(text, frame.schema)
    made = frame.select(
        value=found.value, error=pl.lit(None) if found.error is None else found.error
    )
    assert made["value"].dtype == found.dtype
    return [
        "error" if error is not None else value
        for value, error in zip(made["value"], made["error"], strict=True)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_comparisons_are_exact(kind: str) -> None:
    frame, counts = rows(kind)
    tests = {
        "n = u": lambda n, u: n == u,
        "n <> u": lambda n, u: n != u,
        "n < u": lambda n, u: n < u,
        "u >= n": lambda n, u: u >= n,
        "n in (u)": lambda n, u: n == u,
        "n between u and u": lambda n, u: n == u,
    }
    for text, test in tests.items():
        right = [None if n is None or u is None else test(n, u) for n, u in counts]
        assert answers(text, frame) == right, text
    assert answers("n is distinct from u", frame) == [n != u for n, u in counts]
    same = [n is None or n == u for n, u in counts]
    assert [value is None for value in answers("nullif(n, u)", frame)] == same


@pytest.mark.parametrize("kind", ["moments", "milliseconds", "instants", "intervals"])
def test_a_value_that_would_be_cut_is_an_error(kind: str) -> None:
    frame, counts = rows(kind)
    fits = [n is None or n % 1000 == 0 for n, _ in counts]
    for text in ("coalesce(n, u)", "case when true then n else u end", "greatest(n, u)"):
        assert [value != "error" for value in answers(text, frame)] == fits, text


def test_arithmetic_that_would_cut_is_an_error() -> None:
    frame, counts = rows("moments")
    for text in ("n - u", "n + interval '1 day'", "date_add('day', 1, n)"):
        told = [value == "error" for value in answers(text, frame)]
        assert told == [n is not None and n % 1000 != 0 for n, _ in counts], text


def test_text_is_read_to_the_microsecond_or_refused() -> None:
    frame, counts = rows("moments")
    assert answers("n > '1970-01-01 00:00:01'", frame) == [
        None if n is None else n > 10**9 for n, _ in counts
    ]
    assert answers("n < '9999-12-31'", frame) == [None if n is None else True for n, _ in counts]
    options = ", ".join(f"'20{year}-01-01'" for year in range(10, 25))
    assert answers(f"n in ({options})", frame) == [None if n is None else False for n, _ in counts]
    with pytest.raises(ConfigurationError, match="more digits"):
        compiled("n = '1970-01-01 00:00:01.000000001'", frame.schema)


def test_milliseconds_far_away_are_errors_beside_microseconds() -> None:
    counts = [0, 2**62, -(2**62), None]
    schema = {"m": pl.Datetime("ms"), "u": pl.Datetime("us")}
    frame = pl.DataFrame({"m": counts, "u": [0] * 4}).cast(schema)
    assert answers("m = u", frame) == [True, "error", "error", None]
    assert answers("m < '2024-01-01'", frame) == [True, "error", "error", None]
    days = pl.DataFrame({"d": [0, 2**31 - 1]}).cast(pl.Int32).cast(pl.Date)
    assert answers("d = timestamp '1970-01-01 00:00:00'", days) == [True, "error"]
