"""Files are read record by record exactly once, from any saved position on."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.connectors.base import Chunk, ReadOptions, SourceReader, Split
from raystream.connectors.files import lines
from raystream.connectors.files.source import Files
from raystream.context import SubtaskContext
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.formats.csv import Csv
from raystream.ids import SubtaskId
from raystream.time.clock import VirtualClock

SCHEMA = Schema({"n": pl.Int64(), "s": pl.String()})
CONTEXT = SubtaskContext(
    "job", "abcd0123", 1, "in", SubtaskId("in", 0), 1, VirtualClock(), ThreadPoolExecutor(1)
)


def reader(source: Files, splits: list[Split], schema: Schema = SCHEMA) -> SourceReader:
    opened = source.reader(CONTEXT, ReadOptions(schema, event_time="n"))
    for split in splits:
        opened.add(split)
    return opened


def drain(opened: SourceReader, size: int = 1000) -> list[Chunk]:
    chunks = []
    while (chunk := opened.poll(size)) is not None:
        chunks.append(chunk)
    return chunks


def values(chunks: list[Chunk]) -> list[int]:
    return [n for chunk in chunks for n in chunk.frame["n"]]


def write(path: Path, numbers: list[int], end: str = "\n") -> None:
    path.write_text("\n".join(json.dumps({"n": n, "s": f"é{n}"}) for n in numbers) + end)


def test_directory_glob_and_file_name_the_same_split(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    write(tmp_path / "day" / "part-1.jsonl", [1])
    (tmp_path / ".part-2.jsonl.pending").write_text("half")
    (tmp_path / "_SUCCESS").write_text("")
    by_directory = Files(tmp_path).discover(bounded=True)
    by_glob = Files(tmp_path / "*" / "*.jsonl").discover(bounded=True)
    by_name = Files(tmp_path / "day" / "part-1.jsonl").discover(bounded=True)
    assert by_directory == by_glob
    assert [s.id for s in by_directory] == ["day/part-1.jsonl"]
    assert [s.id for s in by_name] == ["part-1.jsonl"]


@pytest.mark.parametrize("end", ["\n", ""])
def test_every_line_once_with_or_without_last_line_end(tmp_path: Path, end: str) -> None:
    write(tmp_path / "a.jsonl", [1, 2, 3], end)
    source = Files(tmp_path)
    opened = reader(source, source.discover(bounded=True))
    chunks = drain(opened, 2)
    assert values(chunks) == [1, 2, 3]
    assert opened.finished()
    size = (tmp_path / "a.jsonl").stat().st_size
    assert chunks[-1].runs[0].position[:3] == [size, 3, size]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    rows=st.lists(st.one_of(st.integers(0, 10**6), st.none()), max_size=40),
    size=st.integers(1, 9),
    stop=st.integers(0, 9),
    block=st.integers(1, 90),
)
def test_reading_resumes_anywhere(
    tmp_path: Path, rows: list[int | None], size: int, stop: int, block: int
) -> None:
    """`None` is a blank line. A reader that dies after `stop` polls is followed by another."""
    text = "".join("\n" if n is None else json.dumps({"n": n}) + "\n" for n in rows)
    (tmp_path / "a.jsonl").write_text(text)
    source = Files(tmp_path)
    (split,) = source.discover(bounded=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", block)
        first = reader(source, [split])
        before = [chunk for _ in range(stop) if (chunk := first.poll(size)) is not None]
        position = before[-1].runs[0].position if before else split.start
        after = drain(reader(source, [Split(split.id, position, split.end)]), size)
    assert values(before + after) == [n for n in rows if n is not None]
    if after:
        assert after[-1].runs[0].position[:3] == [len(text), len(rows), len(text)]


def test_files_are_read_in_turn(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / name, [1, 2, 3])
    source = Files(tmp_path)
    chunks = drain(reader(source, source.discover(bounded=True)), 2)
    assert [c.runs[0].split for c in chunks] == ["a", "b", "a", "b"]


def test_bad_line_is_rejected_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n\nnonsense\n{"s": "no time"}\n{"n": 5}\n')
    source = Files(tmp_path)
    (chunk,) = drain(reader(source, source.discover(bounded=True)))
    assert values([chunk]) == [1, 5]
    assert [(r.origin, r.value) for r in chunk.rejected] == [
        ("file a.jsonl, line 3", b"nonsense"),
        ("file a.jsonl, line 4", b'{"s": "no time"}'),
    ]
    assert chunk.rejected[0].reason.startswith("not JSON")


def test_tail_waits_for_the_other_half_of_a_line_and_for_new_files(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, [1], '\n{"n":')
    source = Files(tmp_path, tail=True)
    opened = reader(source, source.discover(bounded=False))
    assert values(drain(opened)) == [1]
    assert opened.caught_up("a.jsonl")
    assert not opened.finished()
    with path.open("a") as file:
        file.write(" 2}\n")
    assert not opened.caught_up("a.jsonl")
    assert values(drain(opened)) == [2]
    write(tmp_path / "b.jsonl", [3])
    assert [s.id for s in source.discover_new(frozenset({"a.jsonl"}))] == ["b.jsonl"]


def test_a_bounded_run_of_a_tailed_file_ends_at_a_whole_line(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [1], '\n{"n":')
    source = Files(tmp_path, tail=True)
    (split,) = source.discover(bounded=True)
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write(" 2}\n")
    opened = reader(source, [split])
    assert values(drain(opened)) == [1]
    assert opened.finished()


def test_a_second_run_reads_on_where_the_file_grew(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [1, 2])
    source = Files(tmp_path)
    done = drain(reader(source, source.discover(bounded=True)))[-1].runs[0].position
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write('{"n": 3}\n')
    (now,) = source.discover(bounded=True)
    assert values(drain(reader(source, [Split(now.id, done, now.end)]))) == [3]


LONG = 400
"""Rows of more bytes than are compared."""


@pytest.mark.parametrize("new", [[], [1], [5, 6], [*range(2, 2 + LONG)], [*range(3 * LONG)]])
@pytest.mark.parametrize("old", [[7], [*range(1, 1 + LONG)]])
@pytest.mark.parametrize("between_runs", [False, True])
@pytest.mark.parametrize("same_inode", [False, True])
def test_another_file_of_the_name_is_told_and_read_from_its_begin(
    tmp_path: Path, old: list[int], new: list[int], between_runs: bool, same_inode: bool
) -> None:
    path = tmp_path / "a.jsonl"
    write(path, old)
    source = Files(tmp_path, tail=True)
    opened = reader(source, [Split("a.jsonl", [0, 0])])
    position = drain(opened)[-1].runs[0].position
    if between_runs:
        opened = reader(source, [Split("a.jsonl", position)])
    other = path if same_inode else tmp_path / ".new"
    write(other, new, "\n" if new else "")
    other.rename(path)
    told, *rest = drain(opened)
    (lost,) = told.rejected
    assert lost.origin == f"file a.jsonl, line {len(old) + 1}"
    assert lost.reason.startswith("the file was replaced by another one of this name: ")
    assert told.runs[0].position[:2] == [0, 0]
    assert values(rest) == new


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    rows=st.lists(st.text("ab\n", max_size=80), min_size=1, max_size=30),
    cut=st.integers(0, 400),
    size=st.integers(1, 5),
    block=st.integers(1, 300),
)
def test_a_file_that_only_grows_is_never_another(
    tmp_path: Path, rows: list[str], cut: int, size: int, block: int
) -> None:
    """Whatever is there when it is read first, and a reader from a position on each time."""
    text = "\n".join(rows).encode() + b"\n"
    path = tmp_path / "a.txt"
    path.write_bytes(text[:cut])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", block)
        file = lines.LineFile(path, 0, 0, None, tail=True)
        read = []
        while (some := file.take(size)) is not None:
            read += some.payloads
        path.write_bytes(text)
        again = lines.LineFile(path, file.offset, file.line, None, tail=True, crc=file.crc())
        for one in (file, again):
            rest = []
            while (some := one.take(size)) is not None:
                rest += some.payloads
            assert read + rest == [line for line in text.split(b"\n") if line]
        assert file.crc() == again.crc()


def test_another_parquet_file_of_the_name_is_told_and_read_from_its_begin(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1, 2, 3]}).write_parquet(path)
    source = Files(tmp_path, "parquet", tail=True)
    opened = reader(source, source.discover(bounded=False))
    position = drain(opened)[-1].runs[0].position
    assert (position["row"], position["rows"]) == (3, 3)
    pl.DataFrame({"n": [4, 5, 6, 7]}).write_parquet(path)
    told, *rest = drain(reader(source, [Split("a.parquet", position)]))
    assert [r.origin for r in told.rejected] == ["file a.parquet, row 3"]
    assert "replaced by another one" in told.rejected[0].reason
    assert values(rest) == [4, 5, 6, 7]


def test_tailed_parquet_files_are_read_once_they_are_whole(tmp_path: Path) -> None:
    source = Files(tmp_path, "parquet", tail=True)
    opened = reader(source, source.discover(bounded=False))
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1, 2, 3]}).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert source.discover_new(frozenset()) == []
    assert source.discover(bounded=True) == []
    path.write_bytes(whole)
    (new,) = source.discover_new(frozenset())
    opened.add(new)
    assert values(drain(opened)) == [1, 2, 3]
    assert opened.caught_up("a.parquet")
    assert not opened.finished()
    path.unlink()
    half = Split("a.parquet", {"row": 2, "rows": 3, "mark": 7})
    (told,) = drain(reader(source, [half]))
    assert "2 of its 3 rows were" in told.rejected[0].reason
    assert drain(reader(source, [Split("a.parquet", told.runs[0].position)])) == []


def test_a_rotated_file_that_was_read_is_no_error(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [1])
    opened = reader(Files(tmp_path, tail=True), [Split("a.jsonl", [0, 0])])
    drain(opened)
    os.unlink(tmp_path / "a.jsonl")
    assert opened.poll(10) is None


@pytest.mark.parametrize(("tail", "until"), [(False, None), (False, "latest"), (True, "latest")])
def test_a_run_that_ends_does_not_wait_for_a_file_that_was_read_and_is_gone(
    tmp_path: Path, tail: bool, until: str | None
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        write(tmp_path / f"in/{name}.jsonl", [1, 2])
    p = rs.Pipeline("gone", checkpoint_storage=str(tmp_path / "storage"))
    p.read(Files(tmp_path / "in", tail=tail), name="in").write(Files(tmp_path / "out"), name="out")
    assert p.run(local=True, until=until).rows_in == 4
    os.unlink(tmp_path / "in/a.jsonl")
    assert p.run(local=True, until=until).rows_in == 0
    write(tmp_path / "in/c.jsonl", [3])
    assert p.run(local=True, until=until).rows_in == 1


def test_csv_has_a_header_per_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("s,n\nx,1\ny,oops\nz,3\n")
    source = Files(tmp_path, "csv")
    assert source.learn() == Schema({"s": pl.String(), "n": pl.String()})
    (chunk,) = drain(reader(source, source.discover(bounded=True)))
    assert chunk.frame.rows() == [(1, "x"), (3, "z")]
    assert [r.origin for r in chunk.rejected] == ["file a.csv, line 3"]
    after_header = Split("a.csv", [4, 1], [19, 0])
    assert values(drain(reader(source, [after_header]))) == [1, 3]


def test_csv_with_given_columns_has_no_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1;x\n2;y\n")
    source = Files(tmp_path, Csv(("n", "s"), ";"))
    assert values(drain(reader(source, source.discover(bounded=True)))) == [1, 2]


def test_parquet_by_rows(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [1, 2, None, 4], "s": ["a", "b", "c", "d"], "more": [0, 0, 0, 0]})
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=2)
    source = Files(tmp_path, "parquet")
    assert source.learn() == Schema(dict(frame.schema))
    chunks = drain(reader(source, source.discover(bounded=True)), 3)
    assert values(chunks) == [1, 2, 4]
    assert [r.origin for c in chunks for r in c.rejected] == ["file a.parquet, row 2"]
    assert values(drain(reader(source, [Split("a.parquet", 1, 4)]))) == [2, 4]


def test_schema_is_learnt_from_the_first_file_with_records(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    assert Files(tmp_path).learn() is None
    write(tmp_path / "b.jsonl", [1])
    assert Files(tmp_path).learn() == SCHEMA


@pytest.mark.parametrize("path", ["missing", "missing/*.jsonl", "missing.jsonl"])
def test_a_path_that_is_not_there_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigurationError, match="no such file or directory: .*missing"):
        Files(tmp_path / path).discover(bounded=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "jsn"}, "no format 'jsn'"),
    ],
)
def test_wrong_options_are_refused_when_written(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Files("x", **arguments)


def test_parallelism_is_at_most_the_number_of_files(tmp_path: Path) -> None:
    assert Files(tmp_path).max_parallelism() is None
    write(tmp_path / "a", [1])
    assert Files(tmp_path).max_parallelism() == 1
    assert Files(tmp_path, tail=True).max_parallelism() is None


def test_files_with_bad_lines_only_are_not_taken_for_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("not json\n[1]\n")
    with pytest.raises(ConfigurationError, match="none of the first 2 records tells which columns"):
        Files(tmp_path).learn()
    (tmp_path / "bad.jsonl").rename(tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("n,s\n")
    assert Files(tmp_path, format="csv").learn() is None


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_a_row_can_be_given_back_raw(tmp_path: Path, form: str) -> None:
    """What is wrong with a row may show later than its decoding (an event time in the future)."""
    path = tmp_path / f"a.{form}"
    lines = {"json": '{"n": "x"}\n{"n": 1}\n{"n": 2}\n', "csv": "n\nx\n1\n2\n"}
    if form == "parquet":
        pl.DataFrame({"n": [0.5, 1.0, 2.0]}).write_parquet(path)
    else:
        path.write_text(lines[form])
    source = Files(path, format=form)
    (chunk,) = drain(reader(source, source.discover(bounded=True), Schema({"n": pl.Int64()})))
    assert chunk.reject is not None
    (back,) = chunk.reject([1], "too late")
    place, raw = {
        "json": ("line 3", b'{"n": 2}'),
        "csv": ("line 4", b"2"),
        "parquet": ("row 2", b"{'n': 2.0}"),
    }[form]
    assert (back.origin, back.value, back.reason) == (
        f"file {back.split}, {place}",
        raw,
        "too late",
    )
    assert len(chunk.rejected) == 1


def test_the_discovery_interval_is_a_duration() -> None:
    assert Files("a", tail=True, discovery_interval="5s").discovery_interval == 5.0
    with pytest.raises(ConfigurationError, match=r"test_source.py:\d+: discovery_interval: 'x'"):
        Files("a", discovery_interval="x")


@pytest.mark.parametrize("form", ["json", "csv", Csv(columns=("n", "s"))])
def test_the_mark_that_editors_put_in_front_is_no_part_of_the_first_line(
    tmp_path: Path, form: Any
) -> None:
    text = {"json": '{"n":1,"s":"a"}\n', "csv": "n,s\n1,a\n"}.get(form, "1,a\n")
    (tmp_path / "a.txt").write_text("\ufeff" + text)
    source = Files(tmp_path, form)
    (chunk,) = drain(reader(source, source.discover(bounded=True)))
    assert not chunk.rejected
    assert chunk.frame.select("n", "s").rows() == [(1, "a")]
    (tmp_path / "a.txt").write_text("\ufeff" + text * 2)
    assert source.learn() == SCHEMA or form != "json"
