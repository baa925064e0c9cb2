"""Parquet in and out: every type as it is; what is not of the columns' types goes by policy."""

from __future__ import annotations

import datetime as dt
import os
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import raystream as rs
from raystream.connectors.base import Chunk, ReadOptions, SourceReader, Split
from raystream.connectors.files.source import Files
from raystream.context import SubtaskContext
from raystream.data.schema import Schema
from raystream.errors import RaystreamError
from raystream.ids import SubtaskId
from raystream.time.clock import VirtualClock
from tests.runs import Running, running

CONTEXT = SubtaskContext(
    "job", "abcd0123", 1, "in", SubtaskId("in", 0), 1, VirtualClock(), ThreadPoolExecutor(1)
)
AT = dt.datetime.fromisoformat("2024-03-01T10:00:00.123456")
COLUMNS = [
    pl.Series("dec", [Decimal("1.50"), None], pl.Decimal(18, 2)),
    pl.Series("date", [dt.date(2024, 3, 1), None]),
    pl.Series("ms", [1, None]).cast(pl.Datetime("ms")),
    pl.Series("us", [1234567, None]).cast(pl.Datetime("us")),
    pl.Series("ns", [1234567891, None]).cast(pl.Datetime("ns", "UTC")),
    pl.Series("berlin", [1234567891, None]).cast(pl.Datetime("us", "Europe/Berlin")),
    pl.Series("span", [1500, None]).cast(pl.Duration("ms")),
    pl.Series("bytes", [b"\xff\x00", None]),
    pl.Series("time", [dt.time(10, 0, 0, 5), None]),
    pl.Series("u64", [2**64 - 1, None], pl.UInt64),
    pl.Series("f32", [0.1, None], pl.Float32),
    pl.Series("x", [float("nan"), -0.0]),
    pl.Series("object", [{"a": 1, "at": AT}, None]),
    pl.Series("list", [[dt.date(2024, 1, 1)], None]),
    pl.Series("text", ["", "a\nb"]),
]


def opened(source: Files, schema: Any, splits: list[Split] | None = None) -> SourceReader:
    reader = source.reader(CONTEXT, ReadOptions(Schema.of(schema)))
    for split in source.discover(bounded=True) if splits is None else splits:
        reader.add(split)
    return reader


def read(source: Files, schema: Any) -> Chunk:
    chunk = opened(source, schema).poll(1000)
    assert chunk is not None
    return chunk


def test_every_type_is_read_and_written_as_it_is(tmp_path: Path) -> None:
    frame = pl.DataFrame(COLUMNS)
    frame.write_parquet(tmp_path / "in.parquet")
    source = Files(tmp_path / "in.parquet", "parquet")
    assert source.learn() == Schema(dict(frame.schema))
    p = rs.Pipeline("types", checkpoint_storage=str(tmp_path / "store"))
    p.read(source).write(Files(tmp_path / "out", "parquet"))
    assert p.run(local=True, until="latest").kind == "finished"
    (written,) = (tmp_path / "out").iterdir()
    assert_frame_equal(pl.read_parquet(written), frame)


@pytest.mark.parametrize(
    ("column", "declared", "kept", "reason"),
    [
        (pl.Series([1.0, 1.5]), "int", [1], "1.5 (Float64) is not Int64"),
        (pl.Series([2**53, 2**53 + 1]), "float", [2.0**53], "9007199254740993 (Int64)"),
        (pl.Series([1, 2**40]), pl.Int32(), [1], "1099511627776 (Int64) is not Int32"),
        (pl.Series(["1"]), "int", [], "'1' (String) is not Int64"),
        (pl.Series([1]), "string", [], "1 (Int64) is not String"),
        (pl.Series([True]), "int", [], "True (Boolean) is not Int64"),
        (pl.Series([1]), "datetime", [], "1 (Int64) is not Datetime"),
        (pl.Series([1]), "duration", [], "1 (Int64) is not Duration"),
        (pl.Series([b"a"]), "string", [], "b'a' (Binary) is not String"),
        (pl.Series([1000, 1001]).cast(pl.Datetime("us")), "timestamp_ms", [1], "not a whole"),
        (pl.Series([1000, 1001]).cast(pl.Datetime("ns")), "datetime", ["us"], "is not Datetime"),
        (pl.Series([1]).cast(pl.Datetime("us", "UTC")), "datetime", [], "is not Datetime"),
        (pl.Series([1000, 1]).cast(pl.Duration("ns")), pl.Duration("us"), ["us"], "is not Dur"),
        (
            pl.Series([Decimal("1.50"), Decimal("1.555")], dtype=pl.Decimal(18, 3)),
            "decimal(18,2)",
            [Decimal("1.50")],
            "1.555",
        ),
        (
            pl.Series([{"at": 1}]).cast(pl.Struct({"at": pl.Datetime("ns")})),
            pl.Struct({"at": pl.Datetime("us")}),
            [],
            "is not Struct",
        ),
    ],
)
def test_a_value_that_would_change_is_refused(
    tmp_path: Path, column: pl.Series, declared: Any, kept: list[Any], reason: str
) -> None:
    column.alias("v").to_frame().write_parquet(tmp_path / "a.parquet")
    chunk = read(Files(tmp_path, "parquet"), {"v": declared})
    found = chunk.frame["v"]
    assert found.dtype == Schema.of({"v": declared}).columns["v"]
    expected = [1] if kept == ["us"] else kept
    assert (found.to_physical() if kept == ["us"] else found).to_list() == expected
    (bad,) = chunk.rejected
    assert reason in bad.reason
    assert bad.origin == f"file a.parquet, row {len(kept)}"


def test_units_that_differ_among_files_change_no_value(tmp_path: Path) -> None:
    for number, unit in enumerate(("ms", "us", "ns")):
        at = pl.Series("at", [1_700_000_000_000]).cast(pl.Datetime("ms")).cast(pl.Datetime(unit))
        at.to_frame().write_parquet(tmp_path / f"{number}.parquet")
    source = Files(tmp_path, "parquet")
    schema = source.learn()
    assert schema is not None
    reader, found = opened(source, schema), []
    while (chunk := reader.poll(10)) is not None:
        assert not chunk.rejected
        found += chunk.frame["at"].to_list()
    assert found == [dt.datetime.fromisoformat("2023-11-14T22:13:20")] * 3


def test_columns_that_a_file_lacks_are_null(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    source = Files(tmp_path, "parquet")
    assert read(source, {"a": "int", "b": "date"}).frame.select("a", "b").rows() == [
        (1, None),
        (2, None),
    ]
    assert read(source, {"b": "date"}).frame.select("b").rows() == [(None,), (None,)]
    refused = read(source, {"b": "date not null"}).rejected
    assert [each.reason for each in refused] == ["null in b", "null in b"]


def _half(path: Path) -> bytes:
    whole = path.with_suffix(".whole")
    pl.DataFrame({"n": [3]}).write_parquet(whole)
    data = whole.read_bytes()
    whole.unlink()
    path.write_bytes(data[:-6])
    return data


def test_a_tailed_directory_waits_for_whole_files(tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    pl.DataFrame({"n": [1, 2]}).write_parquet(place / "1.parquet")
    source = Files(place, "parquet", tail=True, discovery_interval="50ms")

    def job() -> rs.Pipeline:
        p = rs.Pipeline("tail", checkpoint_interval="50ms")
        p.read(source, name="in").write(Files(tmp_path / "out"))
        return p

    def rows(run: Running) -> int:
        return 0 if run.status is None else run.status.rows_read

    data = _half(place / "2.parquet")
    with running(job(), tmp_path / "store") as run:
        run.until(lambda: rows(run) == 2)
        (place / "2.parquet").write_bytes(data)
        run.until(lambda: rows(run) == 3)
        assert run.stop().kind == "stopped"
    os.unlink(place / "1.parquet")  # read to its end: nobody needs it
    pl.DataFrame({"n": [4]}).write_parquet(place / "3.parquet")
    with running(job(), tmp_path / "store") as run:
        run.until(lambda: rows(run) == 1)
        assert run.stop().kind == "stopped"
    written = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert sorted(written.split()) == ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']


def test_a_file_that_went_before_its_end_is_told(tmp_path: Path) -> None:
    pl.DataFrame({"n": [1, 2, 3]}).write_parquet(tmp_path / "a.parquet")
    source = Files(tmp_path, "parquet", tail=True)
    reader = opened(source, {"n": "int"}, source.discover(bounded=False))
    chunk = reader.poll(2)
    assert chunk is not None
    position = chunk.runs[0].position
    os.unlink(tmp_path / "a.parquet")
    again = opened(source, {"n": "int"}, [Split("a.parquet", position)]).poll(2)
    assert again is not None
    assert "2 of its 3 rows" in again.rejected[0].reason
    behind = again.runs[0].position
    assert opened(source, {"n": "int"}, [Split("a.parquet", behind)]).poll(2) is None
    with pytest.raises(RaystreamError, match="not known whether it was read to its end"):
        opened(source, {"n": "int"}, [Split("a.parquet", 2)])


def test_a_position_of_an_older_version_is_read_on(tmp_path: Path) -> None:
    pl.DataFrame({"n": [1, 2, 3]}).write_parquet(tmp_path / "a.parquet")
    source = Files(tmp_path, "parquet")
    chunk = opened(source, {"n": "int"}, [Split("a.parquet", 2, 3)]).poll(9)
    assert chunk is not None
    assert chunk.frame["n"].to_list() == [3]


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("n\n1\n")
    with pytest.raises(RaystreamError, match="a.parquet cannot be read as Parquet"):
        Files(tmp_path, "parquet").discover(bounded=True)
