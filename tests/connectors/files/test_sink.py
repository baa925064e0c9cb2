"""A file is visible when its checkpoint committed, whole, and once."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.checkpoint.records import Committable
from raystream.connectors.base import AbortVerdict, CommitterContext, Verdict, WriteOptions
from raystream.connectors.collect import Collect
from raystream.connectors.files.source import Files
from raystream.connectors.memory import Payloads
from raystream.context import SubtaskContext
from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError, StorageError
from raystream.formats.rejects import DEAD_LETTER_SCHEMA
from raystream.ids import SubtaskId
from raystream.time.clock import VirtualClock

SCHEMA = Schema({"n": pl.Int64(), "s": pl.String()})
CONTEXT = SubtaskContext(
    "job", "abcd0123", 1, "out", SubtaskId("out", 0), 1, VirtualClock(), ThreadPoolExecutor(1)
)


def rows(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"n": numbers, "s": [f"é,{n}" for n in numbers], TIME: numbers})


def prepared(sink: Files, *numbers: int, attempt: int = 1, step: str = "out") -> Committable:
    writer = sink.writer(replace(CONTEXT, attempt=attempt, step=step), WriteOptions(SCHEMA))
    writer.write(rows(*numbers))
    committable = writer.prepare(1, final=False).result()
    writer.close()
    assert committable is not None
    return committable


def committer(sink: Files, step: str = "out") -> Any:
    return sink.committer(CommitterContext("job", "abcd0123", step, 2))


def visible(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if not path.name.startswith("."))


def test_rows_are_visible_after_commit_only(tmp_path: Path) -> None:
    sink = Files(tmp_path)
    committable = prepared(sink, 1, 2)
    assert visible(tmp_path) == []
    assert committable.n_records == 2
    assert committer(sink).check([committable]) == []
    assert committer(sink).commit([committable]) == [Verdict.COMMITTED]
    (path,) = visible(tmp_path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"n": 1, "s": "é,1"},
        {"n": 2, "s": "é,2"},
    ]
    assert len(visible(tmp_path)) == 1


def test_commit_again_is_committed_still(tmp_path: Path) -> None:
    sink = Files(tmp_path)
    committable = prepared(sink, 1)
    assert committer(sink).commit([committable, committable]) == [Verdict.COMMITTED] * 2
    assert committer(sink).commit([committable]) == [Verdict.COMMITTED]


def test_a_hidden_file_that_is_gone_is_lost(tmp_path: Path) -> None:
    sink = Files(tmp_path)
    committable = prepared(sink, 1)
    for path in tmp_path.iterdir():
        path.unlink()
    assert [p.committable for p in committer(sink).check([committable])] == [committable]
    assert committer(sink).commit([committable]) == [Verdict.LOST]


def test_each_checkpoint_has_its_own_file_and_rows_after_prepare_are_the_next(
    tmp_path: Path,
) -> None:
    sink = Files(tmp_path)
    writer = sink.writer(CONTEXT, WriteOptions(SCHEMA))
    writer.write(rows(1))
    first = writer.prepare(1, final=False)
    writer.write(rows(2))
    second = writer.prepare(2, final=True)
    nothing = writer.prepare(3, final=True)
    assert nothing.result() is None
    committer(sink).commit([first.result(), second.result()])
    assert [path.read_text().count("\n") for path in visible(tmp_path)] == [1, 1]
    assert pl.read_ndjson(visible(tmp_path))["n"].to_list() == [1, 2]


def test_close_removes_what_no_checkpoint_names_and_keeps_what_one_may(tmp_path: Path) -> None:
    sink = Files(tmp_path)
    writer = sink.writer(CONTEXT, WriteOptions(SCHEMA))
    writer.write(rows(1))
    committable = writer.prepare(1, final=False).result()
    writer.write(rows(2))
    writer.close()
    assert len(list(tmp_path.iterdir())) == 1
    assert committer(sink).commit([committable]) == [Verdict.COMMITTED]


def test_leftovers_of_dead_attempts_are_removed_and_only_those(tmp_path: Path) -> None:
    sink = Files(tmp_path)
    dead = prepared(sink, 1, attempt=1)
    alive = prepared(sink, 2, attempt=2)
    other = prepared(sink, 3, attempt=1, step="other")
    (tmp_path / ".part-mine.pending").write_text("not of any job")
    assert committer(sink).abort_strays(2) == 0
    assert committer(sink).commit([dead, alive]) == [Verdict.LOST, Verdict.COMMITTED]
    assert committer(sink, "other").commit([other]) == [Verdict.COMMITTED]
    assert (tmp_path / ".part-mine.pending").exists()


def test_abort(tmp_path: Path) -> None:
    sink = Files(tmp_path)
    done, open_ = prepared(sink, 1), prepared(sink, 2, attempt=2)
    committer(sink).commit([done])
    assert committer(sink).abort([done, open_]) == [
        AbortVerdict.PARTLY_COMMITTED,
        AbortVerdict.ABORTED,
    ]
    assert len(visible(tmp_path)) == 1
    assert not any(open_.handle in path.name for path in tmp_path.iterdir())


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    for kind in ("json", "csv", "parquet"):
        sink = Files(tmp_path / kind, kind)
        assert sink.check("job", "abcd0123", "out") == []
        committer(sink).commit([prepared(sink, 1, 2), prepared(sink, 3, attempt=2)])
        reader_schema = sink.learn()
        assert reader_schema is not None
        assert reader_schema.names() == ["n", "s"]
    assert pl.read_csv(visible(tmp_path / "csv"))["s"].to_list() == ["é,1", "é,2", "é,3"]
    assert pl.read_parquet(visible(tmp_path / "parquet"))["n"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("guarantee", ["at_least_once", "none"])
def test_weaker_guarantees_need_no_commit(tmp_path: Path, guarantee: str) -> None:
    writer = Files(tmp_path).writer(CONTEXT, WriteOptions(SCHEMA, guarantee=guarantee))
    writer.write(rows(1))
    assert writer.prepare(1, final=False).result() is None
    assert len(visible(tmp_path)) == 1


def test_a_directory_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot write files to .*file"):
        Files(tmp_path / "file").check("job", "abcd0123", "out")


def test_a_crash_between_rename_and_answer_is_committed(tmp_path: Path) -> None:
    sink = Files(tmp_path)
    committable = prepared(sink, 1)
    (hidden,) = tmp_path.iterdir()
    os.rename(hidden, tmp_path / committable.handle)
    assert committer(sink).commit([committable]) == [Verdict.COMMITTED]


@pytest.mark.parametrize("taken", ["moved", "deleted", "left"])
def test_a_file_that_a_reader_took_at_once_is_committed_and_not_written_again(
    tmp_path: Path, taken: str
) -> None:
    """The process died between the rename and `done`: recovery commits the same handle again."""
    (tmp_path / "out").mkdir()
    sink = Files(tmp_path / "out")
    committable = prepared(sink, 1)
    assert committer(sink).commit([committable]) == [Verdict.COMMITTED]
    (path,) = visible(tmp_path / "out")
    if taken == "moved":
        path.rename(tmp_path / "mine.jsonl")
    elif taken == "deleted":
        path.unlink()
    again = committer(sink)
    assert again.commit([committable]) == [Verdict.COMMITTED]
    assert again.abort([committable]) == [AbortVerdict.PARTLY_COMMITTED]
    assert len(visible(tmp_path / "out")) == (taken == "left")
    assert again.abort_strays(2) == 0  # after `done`: what was promised is kept
    assert [p for p in (tmp_path / "out").iterdir() if p.name.startswith(".")] == []


def test_nothing_is_left_beside_the_files_once_the_writer_knows_of_done(tmp_path: Path) -> None:
    sink = Files(tmp_path)
    writer = sink.writer(CONTEXT, WriteOptions(SCHEMA))
    for checkpoint in (1, 2):
        writer.write(rows(checkpoint))
        committable = writer.prepare(checkpoint, final=False).result()
        assert committer(sink).commit([committable]) == [Verdict.COMMITTED]
        writer.committed(checkpoint)
    assert len(list(tmp_path.iterdir())) == 2
    writer.close()


@pytest.mark.parametrize(
    "handle",
    [
        "/../planted",
        "../planted",
        "/etc/passwd",
        "part-abcd0123-out-a1-s0-n1.jsonl/../../planted",
        "part-abcd0123-out-a1-s0-n1.jsonl\n",
        "part-00000000-out-a1-s0-n1.jsonl",
        "part-abcd0123-other-a1-s0-n1.jsonl",
        "",
    ],
)
def test_a_handle_that_this_step_can_not_have_given_is_refused(tmp_path: Path, handle: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / ".planted.pending").write_text("x")
    sink = Files(tmp_path / "out")
    planted = replace(prepared(sink, 1), handle=handle)
    for ask in (committer(sink).commit, committer(sink).abort, committer(sink).check):
        with pytest.raises(StorageError, match="is not a file that step 'out' writes"):
            ask([planted])
    assert visible(tmp_path / "out") == []
    assert (tmp_path / ".planted.pending").exists()


@pytest.mark.parametrize(
    ("form", "column", "reason"),
    [
        ("raw", pl.Series("v", [b"a", b"b\nc"]), "there is a line end in it"),
        ("raw", pl.Series("v", [b"a", None]), "it is empty"),
        ("raw", pl.Series("v", [b"a", b""]), "it is empty"),
        ("csv", pl.Series("v", [1, None]), "it is empty"),
    ],
)
def test_a_record_that_would_be_read_as_another_number_of_records_is_refused(
    tmp_path: Path, form: str, column: pl.Series, reason: str
) -> None:
    schema = Schema({"v": column.dtype})
    opened = Files(tmp_path, form).writer(CONTEXT, WriteOptions(schema))
    opened.write(column.head(1).to_frame())
    with pytest.raises(DataError, match=f"row 1 .*{reason}"):
        opened.write(column.to_frame())
    opened.close()


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_dead_letters_are_written_as_files(tmp_path: Path, form: str) -> None:
    p = rs.Pipeline("dead", checkpoint_storage=str(tmp_path / "store"))
    records = Payloads([b'{"n":1}', b"\xff\xfe", None, b'{"n":"x"}'])
    rows = p.read(records, schema={"n": "int"}, errors="dlq", name="in")
    rows.write(Collect(), name="out")
    letters = rows.errors.drop("headers", "record_headers") if form == "csv" else rows.errors
    letters.write(Files(tmp_path / "dead", form))
    assert p.run(local=True, until="latest").kind == "finished"
    (path,) = (tmp_path / "dead").iterdir()
    back = rs.Pipeline("back", checkpoint_storage=str(tmp_path / "store"))
    collected = Collect()
    schema = dict(DEAD_LETTER_SCHEMA.columns)
    plain = {name: kind for name, kind in schema.items() if "headers" not in name}
    back.read(Files(path, form), schema=plain if form == "csv" else schema).write(collected)
    assert back.run(local=True, until="latest").kind == "finished"
    assert [row["value"] for row in collected.rows()] == [b"\xff\xfe", None, b'{"n":"x"}']
    assert "got `str` - at `n`" in collected.rows()[2]["reason"]
