"""dedupe against plain Python: batches, types of keys, restarts, rescales, time."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.hashing import partition
from raystream.errors import ConfigurationError
from raystream.ids import SubtaskId
from raystream.operators.dedupe.operator import DUPLICATES, Dedupe
from raystream.operators.operator import Restored, StepState
from raystream.time.clock import VirtualClock
from raystream.time.watermark import Watermark
from tests import steps


class Kept:
    """An output that keeps what it gets."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def emit(self, batch: Batch, tag: str = "") -> None:
        self.rows += batch.frame.to_dicts()

    def consumed(self, tag: str) -> bool:
        return False


class Subtasks:
    """All subtasks of the step, and what they gave."""

    def __init__(self, step: steps.Dedupe, width: int) -> None:
        self.step, self.output, self.attempt = step, Kept(), 0
        self.counted = 0
        self.width = width
        self.operators = [self.opened(index) for index in range(width)]

    def opened(self, index: int) -> Dedupe:
        me = SubtaskId("dedupe", index)
        pool = ThreadPoolExecutor(1)
        where = ("job", "0" * 8, self.attempt, "dedupe", me, self.width)
        ctx = SubtaskContext(*where, VirtualClock(), pool, count=self.count)
        operator = Dedupe(self.step)
        operator.open(ctx, self.output)
        return operator

    def count(self, name: str, number: int) -> None:
        assert name == DUPLICATES
        self.counted += number

    def process(self, frame: pl.DataFrame) -> None:
        shares = partition(frame, list(self.step.columns), self.width)
        for operator, share in zip(self.operators, shares, strict=True):
            if share is not None:
                operator.process(Batch(share))

    def watermark(self, time: int) -> None:
        for operator in self.operators:
            operator.on_watermark(Watermark(time))

    def restart(self, width: int) -> None:
        states = [one.snapshot(1, final=False) or StepState() for one in self.operators]
        same = width == self.width
        self.attempt, self.width = self.attempt + 1, width
        self.operators = [self.opened(index) for index in range(width)]
        for index, operator in enumerate(self.operators):
            mine = [states[index]] if same else states
            operator.restore(Restored(mine, redistribute=not same))


def key(value: Any) -> Any:
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


ROW = st.tuples(
    st.sampled_from([None, 0.0, -0.0, math.nan, 1.5]), st.integers(0, 2), st.integers(0, 40)
)
BATCHES = st.lists(st.tuples(st.lists(ROW, max_size=8), st.sampled_from([0, 0, 1, 2, 3])))
SCHEMA = {"a": pl.Float64(), "b": pl.Int64(), TIME: pl.Int64()}


@settings(max_examples=60)
@given(BATCHES, st.sampled_from([None, 0, 5, 30]), st.booleans())
def test_the_first_row_of_each_key_passes_whatever_happens_between(
    batches: list[tuple[list[tuple[Any, ...]], int]], within: int | None, known: bool
) -> None:
    types = {"a": SCHEMA["a"], "b": SCHEMA["b"]} if known else None
    subtasks = Subtasks(steps.Dedupe(("a", "b"), within, types), 2)
    passed: dict[Any, int] = {}
    expected, everything = [], 0
    for rows, restart in batches:
        subtasks.process(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
        for a, b, time in rows:
            until = passed.get((key(a), b))
            if until is None or (within is not None and time - within > until):
                passed[key(a), b] = time
                expected.append((key(a), b, time))
        everything += len(rows)
        if restart:
            subtasks.restart(restart)
    got = [(key(row["a"]), row["b"], row[TIME]) for row in subtasks.output.rows]
    assert sorted(got, key=repr) == sorted(
        [(a + 0.0 if isinstance(a, float) else a, b, t) for a, b, t in expected], key=repr
    ) or sorted(map(plain, got), key=repr) == sorted(map(plain, expected), key=repr)
    assert subtasks.counted == everything - len(expected)


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """-0.0 as 0.0: they are one key."""
    return tuple(value + 0.0 if isinstance(value, float) else value for value in row)


def rows_of(*pairs: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(list(pairs), schema={"id": pl.String(), TIME: pl.Int64()}, orient="row")


def test_what_the_watermark_has_left_behind_is_forgotten_also_over_a_restart() -> None:
    subtasks = Subtasks(steps.Dedupe(("id",), 10), 1)
    subtasks.process(rows_of(("a", 100), ("b", 200)))
    subtasks.watermark(111)
    subtasks.restart(1)
    subtasks.process(rows_of(("a", 105), ("b", 195)))
    assert [(row["id"], row[TIME]) for row in subtasks.output.rows] == [
        ("a", 100),
        ("b", 200),
        ("a", 105),
    ]


def test_state_of_another_type_is_refused() -> None:
    subtasks = Subtasks(steps.Dedupe(("id",)), 1)
    subtasks.process(rows_of(("a", 1)))
    other = pl.DataFrame({"id": [1], TIME: [1]})
    with pytest.raises(ConfigurationError, match="have .id. of type String, which is Int64 now"):
        subtasks.process(other)


def pipeline(folder: Path, rows: list[dict[str, Any]], parallelism: int) -> rs.Pipeline:
    p = rs.Pipeline("orders", checkpoint_storage=str(folder / "storage"), parallelism=parallelism)
    read = p.read(rs.Rows(rows), event_time="at", name="in")
    read.dedupe("id", within="10s", name="once").write(rs.Collect(), name="out")
    return p


@pytest.mark.parametrize("parallelism", [1, 4])
def test_a_whole_job_and_its_oracle(tmp_path: Path, parallelism: int) -> None:
    rows = [{"id": n % 7, "at": n * 1000, "n": n} for n in range(100)]
    p = rs.Pipeline("orders", parallelism=parallelism)
    once = p.read(rs.Rows(rows), event_time="at").dedupe("id", within="10s")
    got = once.collect().sort("n").to_dicts()
    last: dict[int, int] = {}
    expected = []
    for row in rows:
        if row["id"] not in last or row["at"] - 10_000 > last[row["id"]]:
            last[row["id"]] = row["at"]
            expected.append(row)
    assert got == expected


def test_the_columns_that_are_compared_cannot_change_under_its_state(tmp_path: Path) -> None:
    def job(*columns: str) -> rs.Pipeline:
        p = rs.Pipeline("orders", checkpoint_storage=str(tmp_path / "storage"))
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in/a.jsonl").write_text('{"id": 1, "shop": "a"}\n')
        read = p.read(rs.Files(tmp_path / "in"), name="in")
        read.dedupe(*columns, name="once").write(rs.Files(tmp_path / "out"), name="out")
        return p

    assert job("id").run(local=True).rows_out == 1
    assert job("id").run(local=True).rows_out == 0
    with pytest.raises(ConfigurationError, match=r"keys was \['id'\], is \['shop'\]"):
        job("shop").run(local=True)


def test_a_column_that_is_not_there_is_named() -> None:
    rows = rs.Pipeline("orders").read(rs.Rows([{"id": 1}]))
    with pytest.raises(ConfigurationError, match="no column 'idd'"):
        rows.dedupe("idd").collect()
    with pytest.raises(ConfigurationError, match="dedupe needs a column"):
        rows.dedupe()
