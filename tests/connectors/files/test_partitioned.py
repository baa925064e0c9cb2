"""Files in directories named after values: each row once, in the directory of its values."""

from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.checkpoint.records import Committable
from raystream.config.load import load
from raystream.connectors.base import AbortVerdict, CommitterContext, Verdict, WriteOptions
from raystream.connectors.files import hidden, partitioned
from raystream.connectors.files.partitions import DEFAULT
from raystream.context import SubtaskContext
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError
from raystream.ids import SubtaskId
from raystream.time.clock import VirtualClock
from tests.support.partitions import values_of

CONTEXT = SubtaskContext(
    "job", "abcd0123", 1, "out", SubtaskId("out", 0), 1, VirtualClock(), ThreadPoolExecutor(1)
)


MORNING = dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
"""It comes twice: with summer time, and with fold=1 without."""


def prepared(sink: rs.Files, *frames: pl.DataFrame, attempt: int = 1) -> Committable:
    options = WriteOptions(Schema.of_frame(frames[0].schema))
    sink.check_rows(options)
    writer = sink.writer(replace(CONTEXT, attempt=attempt), options)
    for frame in frames:
        writer.write(frame)
    committable = writer.prepare(1, final=False).result()
    writer.close()
    assert committable is not None
    return committable


def committer(sink: rs.Files) -> Any:
    return sink.committer(CommitterContext("job", "abcd0123", "out", 2))


def visible(directory: Path) -> Iterator[tuple[str, Path]]:
    """Relative directories and the files that readers see."""
    for path, names, files in os.walk(directory):
        names[:] = [name for name in names if not name.startswith((".", "_"))]
        for name in files:
            if not name.startswith((".", "_")):
                yield os.path.relpath(path, directory), Path(path, name)


def written(directory: Path) -> Counter[tuple[Any, ...]]:
    """Rows: the texts of their directories, and what is in the files."""
    return Counter(
        (*values_of(where).items(), *json.loads(line).items())
        for where, path in visible(directory)
        for line in path.read_text().splitlines()
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SPECIAL = (
    "",
    ".",
    "..",
    "/",
    "a/../b",
    "%2F",
    "=",
    DEFAULT,
    "é",
    "e\u0301",
    "日本",
    "\x00",
    "x.pending",
)


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.none() | TEXTS | st.sampled_from(SPECIAL),
                st.none() | st.booleans(),
            ),
            max_size=6,
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["k", "_k", ".k", "a=b", "a/b", "ключ"]),
)
@example([[(text, None) for text in SPECIAL]], "k")
@settings(max_examples=12, deadline=None)
def test_each_row_is_once_where_its_values_say(batches: list[list[Any]], name: str) -> None:
    kinds = {name: pl.String(), "b": pl.Boolean(), "n": pl.Int64()}
    number = iter(range(1000))
    rows = [[(text, flag, next(number)) for text, flag in batch] for batch in batches]
    frames = [pl.DataFrame(batch, kinds, orient="row") for batch in rows]
    with tempfile.TemporaryDirectory() as home:
        sink = rs.Files(home, partition_by=[name, "b"])
        if any(frame.height for frame in frames):
            committable = prepared(sink, *frames)
            assert list(visible(Path(home))) == []
            assert committable.n_records == sum(map(len, rows))
            assert committer(sink).check([committable]) == []
            assert committer(sink).commit([committable]) == [Verdict.COMMITTED]
        flags = {None: None, True: "true", False: "false"}
        assert written(Path(home)) == Counter(
            ((name, text), ("b", flags[flag]), ("n", n)) for each in rows for text, flag, n in each
        )
        for path in Path(home).glob(".*"):
            assert path.suffix == hidden.PROMISED  # until the writer knows of `done`


@pytest.mark.parametrize(
    ("kind", "values", "names"),
    [
        (pl.Int8(), [-1, 5], ["-1", "5"]),
        (pl.UInt64(), [2**64 - 1], ["18446744073709551615"]),
        (pl.Decimal(10, 2), [Decimal("1.50"), None], ["1.50", DEFAULT]),
        (pl.Date(), [dt.date(2026, 11, 28)], ["2026-11-28"]),
        (pl.Time(), [dt.time(1, 2), dt.time(1, 2, 0, 5)], ["01%3A02%3A00", "01%3A02%3A00.000005"]),
        (pl.Datetime("ms"), [MORNING.replace(tzinfo=None)], ["2026-10-25 02%3A30%3A00"]),
        (
            pl.Datetime("us", "Europe/Berlin"),
            [
                dt.datetime(2026, 10, 25, 2, 30, fold=n, tzinfo=ZoneInfo("Europe/Berlin"))
                for n in (0, 1)
            ],
            [f"2026-10-25 02%3A30%3A00+0{hours}%3A00" for hours in (1, 2)],
        ),
        (pl.Categorical(), ["b", "a"], ["a", "b"]),
        (pl.Null(), [None], [DEFAULT]),
    ],
)
def test_what_values_of_each_type_are_called(
    kind: pl.DataType, values: list[Any], names: list[str], tmp_path: Path
) -> None:
    sink = rs.Files(tmp_path, "parquet", partition_by="v")
    frame = pl.DataFrame({"v": pl.Series(values, dtype=kind), "n": range(len(values))})
    committer(sink).commit([prepared(sink, frame)])
    assert sorted(where for where, _ in visible(tmp_path)) == [f"v={name}" for name in names]


def test_polars_and_duckdb_read_the_directories(tmp_path: Path) -> None:
    sink = rs.Files(tmp_path, "parquet", partition_by=["dt", "shop"])
    rows = [
        ("2026-11-28", "a/b", 1),
        ("2026-11-29", None, 2),
        ("2026-11-29", "", 3),
        ("é", "ü 1:0", 4),
    ]
    frame = pl.DataFrame(rows, ["dt", "shop", "n"], orient="row")
    committer(sink).commit([prepared(sink, frame)])
    files = f"{tmp_path}/**/*.parquet"
    read = pl.scan_parquet(files, hive_partitioning=True, try_parse_hive_dates=False)
    assert sorted(read.select("dt", "shop", "n").collect().rows(), key=lambda row: row[2]) == rows
    found = f"read_parquet('{files}', hive_partitioning=true, hive_types_autocast=false)"
    assert duckdb.sql(f"SELECT dt, shop, n FROM {found} ORDER BY n").fetchall() == rows


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_many_directories_need_few_open_files(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioned, "MOST_OPEN", 4)
    sink = rs.Files(tmp_path, form, partition_by="k")
    many = 10
    before = len(os.listdir("/proc/self/fd"))
    writer = sink.writer(CONTEXT, WriteOptions(Schema({"k": pl.Int64(), "n": pl.Int64()})))
    for turn in range(3):
        writer.write(pl.DataFrame({"k": range(many), "n": [turn] * many}))
        assert len(os.listdir("/proc/self/fd")) - before <= 4 + 1
    committer(sink).commit([writer.prepare(1, final=False).result()])
    read = {"json": pl.read_ndjson, "csv": pl.read_csv, "parquet": pl.read_parquet}[form]
    files = dict(visible(tmp_path))
    assert len(files) == many
    assert all(read(path)["n"].to_list() == [0, 1, 2] for path in list(files.values())[::3])


def test_a_kill_between_two_files_leaves_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = rs.Files(tmp_path, partition_by="k")
    committable = prepared(sink, pl.DataFrame({"k": range(4), "n": range(4)}))
    moves, rename = iter(range(3)), os.rename

    def until_killed(old: Path, new: Path) -> None:
        if next(moves, None) is None:
            raise OSError
        rename(old, new)

    monkeypatch.setattr(os, "rename", until_killed)
    assert committer(sink).commit([committable]) == [Verdict.AGAIN]
    monkeypatch.undo()
    assert len(list(visible(tmp_path))) == 2
    assert committer(sink).abort([committable]) == [AbortVerdict.PARTLY_COMMITTED]
    assert committer(sink).abort_strays(2) == 0
    assert committer(sink).commit([committable]) == [Verdict.COMMITTED]
    assert [len(list(visible(tmp_path))), sum(written(tmp_path).values())] == [4, 4]
    assert committer(sink).commit([committable]) == [Verdict.COMMITTED]
    assert committer(sink).abort([committable]) == [AbortVerdict.PARTLY_COMMITTED]


def test_what_was_never_committed_is_removed(tmp_path: Path) -> None:
    sink = rs.Files(tmp_path, partition_by="k")
    rows = pl.DataFrame({"k": [1, 2], "n": [1, 2]})
    one, dead = prepared(sink, rows), prepared(sink, rows, attempt=2)
    assert committer(sink).abort([one]) == [AbortVerdict.ABORTED]
    assert committer(sink).commit([one]) == [Verdict.LOST]
    assert committer(sink).abort_strays(3) == 0
    assert committer(sink).check([dead]) != []
    assert list(tmp_path.iterdir()) == []
    writer = sink.writer(CONTEXT, WriteOptions(Schema.of_frame(rows.schema)))
    writer.write(rows)
    writer.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", [(), ("k",)])
def test_a_checkpoint_is_committed_by_a_job_with_other_partitions(
    columns: tuple[str, ...], tmp_path: Path
) -> None:
    rows = pl.DataFrame({"k": [1, 2], "n": [1, 2]})
    committable = prepared(rs.Files(tmp_path, partition_by=columns), rows)
    other = rs.Files(tmp_path, partition_by=() if columns else "n")
    assert committer(other).commit([committable, committable]) == [Verdict.COMMITTED] * 2
    assert {where for where, _ in visible(tmp_path)} == ({"k=1", "k=2"} if columns else {"."})


def write_and_plan(p: rs.Pipeline, rows: Any, sink: rs.Files) -> None:
    rows.write(sink)
    p.plan()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("sop", "no column 'sop'; did you mean 'shop'?"),
        ("f", "column 'f' of type Float64 cannot name a directory"),
        ("s", "column 's' of type Struct"),
        ("l", "column 'l' of type List"),
        ("b", "column 'b' of type Binary"),
        ("d", "column 'd' of type Duration"),
        (["shop", "shop"], "partition_by has 'shop' twice"),
        ([""], "takes names of columns, not ''"),
    ],
)
def test_columns_that_cannot_name_directories_are_refused_before_anything_runs(
    columns: Any, said: str, tmp_path: Path
) -> None:
    kinds = {
        "shop": pl.String(),
        "f": pl.Float64(),
        "s": pl.Struct({"a": pl.Int64()}),
        "l": pl.List(pl.Int64()),
        "b": pl.Binary(),
        "d": pl.Duration("us"),
    }
    p = rs.Pipeline("sales", checkpoint_storage=str(tmp_path / "store"))
    rows = p.read(rs.Rows([]), schema=kinds)
    with pytest.raises(ConfigurationError) as refused:
        write_and_plan(p, rows, rs.Files(tmp_path / "out", partition_by=columns))
    assert said in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_something_must_be_left_for_the_files_and_a_read_takes_no_partitions(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigurationError, match="no column is left for the files"):
        prepared(rs.Files(tmp_path, partition_by="k"), pl.DataFrame({"k": [1]}))
    with pytest.raises(ConfigurationError, match="partition_by is an option of a write"):
        rs.Pipeline("sales").read(rs.Files(tmp_path, partition_by="k"))


def test_a_value_too_long_for_a_directory_is_named(tmp_path: Path) -> None:
    sink = rs.Files(tmp_path, partition_by="k")
    fits = pl.DataFrame({"k": ["x" * 253], "n": [1]})
    committer(sink).commit([prepared(sink, fits)])
    assert len(written(tmp_path)) == 1
    with pytest.raises(DataError, match=r"a value of 'k' .* has 257 bytes; at most 255"):
        prepared(sink, fits.with_columns(k=pl.lit("é" + "x" * 253)), attempt=2)


def test_a_job_in_python_and_yaml(tmp_path: Path) -> None:
    p = rs.Pipeline("sales", checkpoint_storage=str(tmp_path / "store"))
    rows = [{"shop": "a", "n": 1}, {"shop": None, "n": 2}, {"shop": "a", "n": 3}]
    p.read(rs.Rows(rows)).write(rs.Files(tmp_path / "out", partition_by="shop"))
    p.run(local=True, until="latest")
    a, none = (("shop", "a"),), (("shop", None),)
    assert written(tmp_path / "out") == Counter([(*a, ("n", 1)), (*none, ("n", 2)), (*a, ("n", 3))])
    file = tmp_path / "sales.yaml"
    file.write_text(
        "version: 1\nname: sales\nsource:\n  datagen: {rows: 3}\n"
        "sink:\n  files: {path: out, format: csv, partition_by: [dt, hm]}\n"
    )
    sink = next(n.step.sink for n in load(str(file)).pipeline.graph().nodes if n.step.sink)
    assert sink.partition_by == ("dt", "hm")
