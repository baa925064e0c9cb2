"""What a user's function raises is told, be it no Exception: it would end the subtask's thread."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.errors import JobFailed
from raystream.testing import feed


def leaves(row: Any) -> Any:
    sys.exit(3)


def panics(row: Any) -> Any:
    return pl.select(pl.lit(2**62).cast(pl.Datetime("ms")).cast(pl.Datetime("us")))


def cancelled(row: Any) -> Any:
    raise asyncio.CancelledError("why")


def job(verb: str, function: Callable[[Any], Any]) -> Any:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema={"n": "int", "ts": "int"}, event_time="ts", name="in")
    made = {
        "map": lambda: rows.map(function, schema={"n": int}),
        "filter": lambda: rows.filter(function),
        "map_batches": lambda: rows.map_batches(function, schema={"n": int}),
    }[verb]()
    made.write(rs.Collect(), name="out")
    return feed(p, {"in": [{"n": 1, "ts": 1}]})


@pytest.mark.parametrize("function", [leaves, panics, cancelled])
@pytest.mark.parametrize("verb", ["map", "filter", "map_batches"])
def test_a_function_that_raises_no_exception_fails_the_job_with_its_line(
    verb: str, function: Callable[[Any], Any]
) -> None:
    with pytest.raises(JobFailed) as error:
        job(verb, function)
    assert "test_user_code.py" in str(error.value) or "test_user_code.py" in error.value.where
