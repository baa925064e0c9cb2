"""Rows that a function cannot compute go by the policy of their own step, fused or not."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.errors import ConfigurationError, JobFailed
from raystream.testing import feed

ROWS = [
    {"k": "a", "n": 1, "ts": 1000},
    {"k": "b", "n": 0, "ts": 2000},
    {"k": "a", "n": 4, "ts": 3000},
]
SCHEMA = {"k": "string", "n": "int", "ts": "int"}


def divide(row: dict[str, Any]) -> dict[str, Any]:
    row["seen"] = True  # what a dead letter must not show
    return {"k": row["k"], "v": 12 // row["n"]}


def twice(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"k": row["k"], "v": row["v"]}, {"k": row["k"], "v": 1000 // (row["v"] - 3)}]


def positive(frame: pl.DataFrame) -> pl.DataFrame:
    if frame["n"].min() < 1:  # type: ignore[operator]
        raise ValueError("not positive")
    return frame.select("k", v=12 // pl.col("n"))


OUT = {"k": "string", "v": "int"}


def letters(rows: list[dict[str, Any]]) -> list[tuple[Any, str, int]]:
    return [(json.loads(row["value"]), row["reason"], row["timestamp"]) for row in rows]


def piped(p: rs.Pipeline, verb: str, errors: str) -> Any:
    rows = p.read(rs.Rows(ROWS), schema=SCHEMA, event_time="ts", name="in")
    match verb:
        case "map":
            return rows.map(divide, schema=OUT, errors=errors, name="it")
        case "flat_map":
            return rows.flat_map(lambda r: iter([divide(r)]), schema=OUT, errors=errors, name="it")
        case "filter":
            return rows.filter(lambda row: 1 // row["n"] < 5, errors=errors, name="it")
        case "with_columns":
            return rows.with_columns(v=lambda row: 12 // row["n"], errors=errors, name="it")
        case "key_by":
            return rows.key_by(v=lambda row: 12 // row["n"], errors=errors, name="it")
        case _:
            return rows.map_batches(positive, schema=OUT, errors=errors, name="it")


VERBS = ["map", "flat_map", "filter", "with_columns", "key_by", "map_batches"]


@pytest.mark.parametrize("verb", VERBS)
def test_fail_tells_the_row_and_the_line(verb: str) -> None:
    p = rs.Pipeline("job")
    piped(p, verb, "fail").write(rs.Collect(), name="out")
    with pytest.raises(JobFailed) as error:
        feed(p, {"in": ROWS})
    assert f"{__file__}:" in str(error.value)
    assert '"n": ' in str(error.value)
    assert "errors='dlq'" in str(error.value) or "in a batch of " in str(error.value)


@pytest.mark.parametrize("verb", VERBS)
def test_skip_and_dlq_keep_the_other_rows(verb: str) -> None:
    for policy in ("skip", "dlq"):
        p = rs.Pipeline("job")
        rows = piped(p, verb, policy)
        rows.write(rs.Collect(), name="out")
        if policy == "dlq":
            rows.errors.write(rs.Collect(), name="dead")
        written = feed(p, {"in": ROWS})
        assert [row["k"] for row in written["out"]] == ["a", "a"]
        if policy == "skip":
            continue
        ((value, reason, time),) = letters(written["dead"])
        assert (value, time) == (ROWS[1], 2000)
        assert reason.startswith(("ZeroDivisionError: ", "ValueError: "))
        (letter,) = written["dead"]
        assert letter["origin"].startswith("step it, ")
        assert {"name": "step", "value": "it"} in letter["headers"]


def test_fused_functions_keep_their_own_policy_and_name() -> None:
    p = rs.Pipeline("job")
    first = p.read(rs.Rows(ROWS), schema=SCHEMA, event_time="ts", name="in").map(
        divide, schema=OUT, errors="dlq", name="first"
    )
    second = first.flat_map(twice, schema=OUT, errors="dlq", name="second")
    second.write(rs.Collect(), name="out")
    first.errors.write(rs.Collect(), name="dead1")
    second.errors.write(rs.Collect(), name="dead2")
    assert "map divide, flat_map twice" in p.explain()
    written = feed(p, {"in": ROWS})
    assert written["out"] == [{"k": "a", "v": 12}, {"k": "a", "v": 111}]
    assert letters(written["dead1"])[0][0] == ROWS[1]
    assert letters(written["dead2"])[0][0] == {"k": "a", "v": 3}
    assert written["dead2"][0]["origin"].startswith("step second, ")


def test_dead_letters_come_once_over_a_crash() -> None:
    from raystream.testing import CRASH, PAUSE

    p = rs.Pipeline("job")
    rows = piped(p, "map", "dlq")
    rows.write(rs.Collect(), name="out")
    rows.errors.write(rs.Collect(), name="dead")
    written = feed(p, {"in": [*ROWS, PAUSE, ROWS[1], CRASH, ROWS[1]]})
    assert len(written["dead"]) == 3
    assert len(written["out"]) == 2


def test_a_row_that_does_not_fit_goes_by_the_policy() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows(ROWS), schema=SCHEMA, event_time="ts", name="in").map(
        lambda row: {"k": row["k"], "v": str(row["n"]) if row["n"] == 0 else row["n"]},
        schema=OUT, errors="dlq",
    )  # fmt: skip
    rows.write(rs.Collect(), name="out")
    rows.errors.write(rs.Collect(), name="dead")
    written = feed(p, {"in": ROWS})
    assert [row["v"] for row in written["out"]] == [1, 4]
    ((row, reason, _),) = letters(written["dead"])
    assert row == {"k": "b", "v": "0"}
    assert reason == "a row of the function does not fit: column 'v': '0' is not Int64"


def test_stop_iteration_loses_no_row() -> None:
    def stops(row: dict[str, Any]) -> dict[str, Any]:
        if row["n"] == 0:
            raise StopIteration
        return {"k": row["k"]}

    p = rs.Pipeline("job")
    rows = p.read(rs.Rows(ROWS), schema=SCHEMA, event_time="ts", name="in").map(
        stops, schema={"k": "string"}, errors="dlq"
    )
    rows.write(rs.Collect(), name="out")
    rows.errors.write(rs.Collect(), name="dead")
    written = feed(p, {"in": [*ROWS, ROWS[1]]})
    assert [row["k"] for row in written["out"]] == ["a", "a"]
    assert [row["reason"] for row in written["dead"]] == [
        "StopIteration: the function raised it"
    ] * 2


def test_dlq_that_goes_nowhere_is_refused() -> None:
    p = rs.Pipeline("job")
    piped(p, "map", "dlq").write(rs.Collect(), name="out")
    with pytest.raises(ConfigurationError, match=r"step 'it' has errors=\"dlq\""):
        p.plan()
    with pytest.raises(ConfigurationError, match=r"the policy is fail"):
        _ = piped(rs.Pipeline("job"), "map", "fail").errors


def test_with_columns_of_expressions_and_functions_gives_the_dead_letters_of_both() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows(ROWS), schema=SCHEMA, event_time="ts", name="in").with_columns(
        w="n + 1", v=lambda row: 12 // row["n"], errors="dlq"
    )
    rows.write(rs.Collect(), name="out")
    rows.errors.write(rs.Collect(), name="dead")
    written = feed(p, {"in": ROWS})
    assert letters(written["dead"])[0][0] == {**ROWS[1], "w": 1}
