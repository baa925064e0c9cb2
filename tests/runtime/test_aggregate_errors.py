"""A sum that does not fit goes by the policy of the aggregation, other keys' rows are right."""

from __future__ import annotations

import json
from typing import Any

import pytest

import raystream as rs
from raystream.errors import JobFailed
from raystream.testing import feed

SCHEMA = {"ts": "int", "ip": "string", "n": "int"}
ROWS = [{"ts": 1000, "ip": ip, "n": n} for ip, n in [("a", 2**62), ("b", 5), ("a", 2**62)]]


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
        [letter] = out["dead"]
        row = json.loads(letter["value"])
        assert (row["ip"], row["total"], row["mean"]) == ("a", None, 2.0**62)
