"""A sum that does not fit goes by the policy of the aggregation, other keys' rows are right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.errors import JobFailed
from raystream.testing import feed

SCHEMA = {"ts": "int", "ip": "string", "n": "int"}
ROWS = [{"ts": 1000, "ip": ip, "n": n} for ip, n in [("a", 2**62), ("b", 5), ("a", 2**62)]]


MIXED = [{"ts": 1000, "ip": ip, "n": n} for ip, n in [("1", 2), ("x", 3), ("5", 7), ("x", None)]]
NUMBER = rs.col("ip").cast(pl.Int64)
VALUES: dict[str, tuple[Callable[[], Any], int, int]] = {
    "overflow": (lambda: rs.sum("n * 4000000000000000000"), 8 * 10**18, 2),
    "where it is wrong": (lambda: rs.sum("n * 4000000000000000000", where="n < 4"), 8 * 10**18, 1),
    "where it is right": (lambda: rs.sum("n * 4000000000000000000", where="n = 2"), 8 * 10**18, 0),
    "rs.col": (lambda: rs.sum(NUMBER), 6, 2),
    "rs.col where it is right": (lambda: rs.sum(NUMBER, where=rs.col("ip") != "x"), 6, 0),
    "last": (lambda: rs.last(NUMBER), 5, 2),
}


def totals(errors: str) -> rs.Pipeline:
    p = rs.Pipeline("totals")
    rows = p.read(rs.Rows([]), event_time="ts", schema=SCHEMA, name="rows").key_by("ip")
    made = rows.window(rs.tumbling("1m"), errors=errors, name="totals").agg(
        total=rs.sum("n"), mean=rs.mean("n")
    )
    made.write(rs.Collect(), name="out")
    if errors == "dlq":
        made.errors.write(rs.Collect(), name="dead")
    return p


@pytest.mark.parametrize("parallelism", [1, 2])
def test_the_job_fails_with_the_row_and_the_reason(parallelism: int) -> None:
    with pytest.raises(JobFailed) as error:
        feed(totals("fail"), {"rows": ROWS}, parallelism=parallelism)
    text = str(error.value)
    assert "total: the sum does not fit a 64-bit integer" in text
    assert "test_aggregate_errors.py" in text


@pytest.mark.parametrize("parallelism", [1, 2])
@pytest.mark.parametrize("errors", ["skip", "dlq"])
def test_other_rows_go_on(errors: str, parallelism: int) -> None:
    out: dict[str, list[Any]] = feed(totals(errors), {"rows": ROWS}, parallelism=parallelism)
    assert [(row["ip"], row["total"], row["mean"]) for row in out["out"]] == [("b", 5, 5.0)]
    if errors == "dlq":
        [mail] = out["dead"]
        row = json.loads(mail["value"])
        assert (row["ip"], row["total"], row["mean"]) == ("a", None, 2.0**62)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("case", VALUES)
def test_rows_whose_values_cannot_be_computed_are_dead_letters(case: str, late: bool) -> None:
    make, total, dead = VALUES[case]
    p = rs.Pipeline("values")
    rows = p.read(rs.Rows([]), event_time="ts", schema=SCHEMA, name="rows")
    made = rows.window(rs.tumbling("1m"), errors="dlq").agg(total=make(), rows=rs.count())
    made.write(rs.Collect(), name="out")
    made.errors.write(rs.Collect(), name="dead")
    if late:
        made.late.write(rs.Collect(), name="late")
    out = feed(p, {"rows": MIXED})
    [row] = out["out"]
    assert (row["total"], row["rows"], len(out["dead"])) == (total, 4 - dead, dead)
