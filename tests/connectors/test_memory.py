"""Rows from memory are replayed exactly; rows into memory appear at commit, once."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.checkpoint.records import Committable
from raystream.connectors.base import (
    AbortVerdict,
    CommitterContext,
    ReadOptions,
    Split,
    Verdict,
    WriteOptions,
)
from raystream.connectors.memory import Collect, Payloads, Rows
from raystream.context import SubtaskContext
from raystream.data.batch import MESSAGE_KEY, TIME
from raystream.data.schema import Schema
from raystream.ids import SubtaskId
from raystream.time.clock import VirtualClock

SCHEMA = Schema({"n": pl.Int64()})
CONTEXT = SubtaskContext(
    "job",
    "abcd0123",
    1,
    "out",
    SubtaskId("out", 0),
    1,
    VirtualClock(wall_ms=99),
    ThreadPoolExecutor(1),
)


def read_all(source: Rows | Payloads, splits: list[Split], size: int = 2) -> list[Any]:
    reader = source.reader(CONTEXT, ReadOptions(SCHEMA, event_time="n"))
    for split in splits:
        reader.add(split)
    chunks = []
    while (chunk := reader.poll(size)) is not None:
        chunks.append(chunk)
    assert reader.finished()
    return chunks


@given(st.integers(0, 30), st.integers(1, 4), st.integers(1, 7))
def test_every_row_is_read_once_with_its_position(n: int, partitions: int, size: int) -> None:
    source = Rows(({"n": i} for i in range(n)), partitions)
    chunks = read_all(source, source.discover(bounded=True), size)
    assert sorted(v for c in chunks for v in c.frame["n"]) == list(range(n))
    ends = {run.split: run.position for c in chunks for run in c.runs}
    assert sum(ends.values()) == n


def test_reading_goes_on_at_a_saved_position() -> None:
    source = Rows([{"n": i} for i in range(10)], 2)
    (chunk,) = read_all(source, [Split("rows/1", 3, 5)], 10)
    assert chunk.frame["n"].to_list() == [7, 9]


def test_splits_are_read_in_turn() -> None:
    source = Rows([{"n": i} for i in range(8)], 2)
    chunks = read_all(source, source.discover(bounded=True))
    assert [c.runs[0].split for c in chunks] == ["rows/0", "rows/1", "rows/0", "rows/1"]


def test_a_row_that_does_not_fit_is_rejected_with_its_place() -> None:
    source = Rows([{"n": 1}, {"n": "x"}, {}, "poison"])
    (chunk,) = read_all(source, source.discover(bounded=True), 9)
    assert chunk.frame["n"].to_list() == [1]
    assert [(r.origin, r.reason) for r in chunk.rejected] == [
        ("rows, partition 0, number 1", "column 'n': 'x' is not Int64"),
        ("rows, partition 0, number 2", "column 'n' is null"),
        ("rows, partition 0, number 3", "not a row but str"),
    ]


def test_hidden_columns_on_demand() -> None:
    reader = Rows([{"n": 1}]).reader(CONTEXT, ReadOptions(SCHEMA, message_key=True))
    reader.add(Split("rows/0", 0))
    chunk = reader.poll(5)
    assert chunk is not None
    assert chunk.frame.to_dicts() == [{"n": 1, TIME: 99, MESSAGE_KEY: None}]


def test_schema_is_learnt_and_frames_are_rows() -> None:
    assert Rows(pl.DataFrame({"n": [1]})).learn() == SCHEMA
    assert Rows([]).learn() is None


def test_payloads_are_decoded_and_rejected_raw() -> None:
    source = Payloads([b'{"n": 1}', b"{", None])
    (chunk,) = read_all(source, source.discover(bounded=True), 9)
    assert chunk.frame["n"].to_list() == [1]
    assert [r.value for r in chunk.rejected] == [b"{", None]
    assert "payloads, partition 0, number 1" in chunk.rejected[0].origin


@pytest.fixture
def sink() -> Collect:
    return Collect()


def prepared(sink: Collect, values: list[int], *, attempt: int = 1, n: int = 1) -> Committable:
    writer = sink.writer(replace(CONTEXT, attempt=attempt), WriteOptions(SCHEMA))
    writer.write(pl.DataFrame({"n": values, TIME: values}))
    committable = writer.prepare(n, final=False).result()
    writer.close()
    assert committable is not None
    return committable


def committer(sink: Collect) -> Any:
    return sink.committer(CommitterContext("job", "abcd0123", "out", 2))


def test_rows_appear_at_commit_and_only_once(sink: Collect) -> None:
    committable = prepared(sink, [1, 2])
    assert sink.rows() == []
    assert committer(sink).check([committable]) == []
    assert committer(sink).commit([committable, committable]) == [Verdict.COMMITTED] * 2
    assert sink.rows() == [{"n": 1}, {"n": 2}]


def test_a_copy_names_the_same_rows(sink: Collect) -> None:
    committer(pickle.loads(pickle.dumps(sink))).commit([prepared(sink, [1])])
    assert sink.rows() == [{"n": 1}]


def test_nothing_written_is_nothing_to_commit(sink: Collect) -> None:
    assert sink.writer(CONTEXT, WriteOptions(SCHEMA)).prepare(1, final=False).result() is None


def test_strays_of_dead_attempts_are_lost(sink: Collect) -> None:
    stray, young = prepared(sink, [1], attempt=1), prepared(sink, [2], attempt=2)
    assert committer(sink).abort_strays(2) == 0
    assert committer(sink).commit([stray, young]) == [Verdict.LOST, Verdict.COMMITTED]
    assert [p.committable for p in committer(sink).check([stray])] == [stray]


def test_abort(sink: Collect) -> None:
    done, open_ = prepared(sink, [1], n=1), prepared(sink, [2], n=2)
    committer(sink).commit([done])
    assert committer(sink).abort([done, open_]) == [
        AbortVerdict.PARTLY_COMMITTED,
        AbortVerdict.ABORTED,
    ]
    assert sink.rows() == [{"n": 1}]


@pytest.mark.parametrize(("guarantee", "before"), [("none", 1), ("at_least_once", 0)])
def test_weaker_guarantees_show_rows_early(sink: Collect, guarantee: str, before: int) -> None:
    writer = sink.writer(CONTEXT, WriteOptions(SCHEMA, guarantee=guarantee))
    writer.write(pl.DataFrame({"n": [1]}))
    assert len(sink.rows()) == before
    assert writer.prepare(1, final=False).result() is None
    assert len(sink.rows()) == 1


def test_a_row_can_be_given_back_as_it_came() -> None:
    source = Payloads([b"x", b'{"n": 1}', b"y", b'{"n": 2}'])
    (chunk,) = read_all(source, source.discover(bounded=True), 10)
    assert chunk.reject is not None
    (back,) = chunk.reject([1], "too late")
    assert (back.origin, back.value) == ("payloads, partition 0, number 3", b'{"n": 2}')
