"""Rows that an expression cannot compute go by the policy of their step, the others continue."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from raystream.errors import DataError
from raystream.graph.policies import ErrorPolicy
from raystream.operators.operator import create
from tests.steps import Filter, KeyBy, Select, Step, WithColumns

ROWS = [{"n": 2**62, "s": "x", "v": 1}, {"n": 3, "s": "4", "v": 2}]
SKIP = ErrorPolicy.SKIP


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (Filter("n * 4 > 0", SKIP), "integer overflow in n * 4"),
        (WithColumns({"m": "n * 4"}, SKIP), "integer overflow in n * 4"),
        (WithColumns({"m": "CAST(s AS BIGINT)"}, SKIP), "s is not a valid bigint"),
        (WithColumns({"m": pl.col("s").cast(pl.Int64)}, SKIP), "conversion from"),
        (Select(("v", pl.col("s").cast(pl.Int64)), SKIP), "conversion from"),
        (KeyBy(("k",), {"k": "n * 4"}, SKIP), "integer overflow in n * 4"),
        (
            KeyBy(("k", "f"), {"k": "n * 4", "f": lambda row: row["v"]}, SKIP, {"f": pl.Int64()}),
            "integer overflow",
        ),
    ],
)
def test_bad_rows_go_by_the_policy(harness: Any, step: Step, reason: str) -> None:
    task = harness(step).process(ROWS)
    assert [row["v"] for row in task.take()] == [2]
    assert task.counts["skipped_rows"] == 1
    failing = replace(step, errors=ErrorPolicy.FAIL)
    with pytest.raises(DataError, match=re.escape(reason)):
        harness(failing).process(ROWS)


def test_constants_alone_are_one_for_each_row(harness: Any) -> None:
    step = Select((pl.lit(1).alias("one"),))
    assert harness(step).process(ROWS).take() == [{"one": 1}, {"one": 1}]
    assert create(step)
