"""Which fast paths a job takes and misses: `explain`, its JSON, the first line of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

import raystream as rs
from raystream.plan.explain import document
from raystream.plan.fast_paths import summary
from tests.plan.graphs import KAFKA, reading


def total(row: dict[str, int]) -> dict[str, int]:
    return {**row, "total": row["bytes"] * 2}


def paths(p: rs.Pipeline) -> list[str]:
    return [line for line in p.explain().splitlines() if line.startswith(("fast: ", "slow: "))]


def test_columns_and_partial_aggregates_are_fast() -> None:
    p = rs.Pipeline("job")
    counted = reading(p).key_by("ip").window(rs.tumbling("1m"), name="w").agg(n=rs.count())
    counted.write(KAFKA.topic("out"), name="out")
    assert paths(p) == [
        "fast: requests: 2 of 5 columns are decoded",
        "fast: w-local: aggregated in front of the exchange",
    ]
    said = "2 of 5 columns are decoded (requests), aggregated in front of the exchange (w-local)"
    assert summary(p.plan()) == f"fast: {said}"


def test_aggregates_without_a_window_say_where_they_begin() -> None:
    p = rs.Pipeline("job")
    rows = reading(p).key_by("ip").aggregate(n=rs.count())
    rows.write(KAFKA.topic("out"), name="out", changes="upsert")
    told = "-local: aggregated in front of the exchange, where keys repeat"
    assert any(line.endswith(told) for line in paths(p))
    assert "by ip: n = count, of partial aggregates" in p.explain()


def test_a_row_function_is_slow_and_its_line_is_named() -> None:
    p = rs.Pipeline("job")
    rows = reading(p).map(total, schema={"total": int}, name="sum").filter(lambda row: True)
    rows.write(KAFKA.topic("out"), name="out")
    (slow,) = paths(p)
    said = "`map` with a Python function (total), then `filter` (lambda): rows are dicts from here"
    assert slow.startswith(f"slow: sum: {said} (")
    assert "test_fast_paths.py:" in slow
    assert summary(p.plan()) == f"slow: {said} (sum)"
    (told,) = document(p.plan(), "job")["fast_paths"]
    assert (told["step"], told["taken"]) == ("sum", False)


def test_late_rows_need_whole_rows() -> None:
    p = rs.Pipeline("job")
    counted = reading(p).key_by("ip").window(rs.tumbling("1m"), name="w").agg(n=rs.count())
    counted.write(KAFKA.topic("out"), name="out")
    counted.late.write(KAFKA.topic("late"), name="late")
    (slow,) = paths(p)
    assert slow.startswith("slow: w: whole rows go through the exchange, because `.late` is read")


def test_a_first_row_needs_places() -> None:
    p = rs.Pipeline("job")
    counted = reading(p).key_by("ip").window(rs.tumbling("1m")).agg(one=rs.first("path"))
    counted.write(KAFKA.topic("out"))
    assert any(line.startswith("slow: requests: each row carries its place") for line in paths(p))


def test_batch_functions_are_fast() -> None:
    p = rs.Pipeline("job")
    reading(p).map_batches(lambda frame: frame, schema={"n": int}, name="b").write(
        KAFKA.topic("out")
    )
    assert paths(p) == ["fast: b: `map_batches` with a function of columns"]


def test_nothing_to_say_says_nothing() -> None:
    p = rs.Pipeline("job")
    reading(p).filter("status = 404").write(KAFKA.topic("out"))
    assert (paths(p), summary(p.plan())) == ([], "")


def test_the_first_line_of_a_run_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    p = rs.Pipeline("job")
    p.read(rs.Rows([{"bytes": 1}]), event_time="bytes").map(total, name="sum").write(rs.Collect())
    p.run(until="latest", local=True, checkpoint_storage=str(tmp_path))
    first = capsys.readouterr().err.splitlines()[0]
    assert first == (
        f"job: checkpoints in {tmp_path}/job/; "
        "slow: `map` with a Python function (total): rows are dicts from here (sum)"
    )
