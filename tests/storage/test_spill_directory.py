"""Spilled frames: of every type, deleted when nobody uses them, and what a full disk says."""

from __future__ import annotations

import datetime as dt
import decimal as dc
import gc
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from raystream.data.ipc import to_ipc
from raystream.errors import StorageError
from raystream.storage.mapped_frame import map_frame, write_frame
from raystream.storage.spill_directory import SpillDirectory, remove_leftovers

EVERY_TYPE = pl.DataFrame(
    {
        "int": [1, None, 3],
        "text": ["x", None, "y" * 40],
        "binary": [b"q", b"", None],
        "list": [[1], None, [2, 3]],
        "texts": [["a", "b" * 20], [], None],
        "object": [{"a": 1, "z": "u" * 30}, None, {"a": None, "z": None}],
        "objects": [[{"a": 1}], None, []],
        "date": [dt.date(2024, 1, 1)] * 3,
        "time": [dt.time(1)] * 3,
        "bool": [True, None, False],
        "float": [1.5, None, 2.0],
    }
).with_columns(
    zoned=pl.Series([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * 3, dtype=pl.Datetime("us", "UTC")),
    decimal=pl.Series([dc.Decimal("1.5")] * 3, dtype=pl.Decimal(10, 2)),
    array=pl.Series([[1, 2], None, [3, 4]], dtype=pl.Array(pl.Int32, 2)),
    wide=pl.Series([1, 2, 2**100], dtype=pl.Int128),
    narrow=pl.Series([1, 2, None], dtype=pl.Int8),
    category=pl.Series(["a", None, "b"], dtype=pl.Categorical),
    nothing=pl.Series([None, None, None], dtype=pl.Null),
)


def test_a_frame_of_every_type_comes_back(tmp_path: Path) -> None:
    spills = SpillDirectory(tmp_path, "one")
    spilled = spills.spill(EVERY_TYPE)
    assert spilled.frame.schema == EVERY_TYPE.schema
    assert spilled.frame.equals(EVERY_TYPE)
    assert spilled.frame.n_chunks() == 1
    again = spills.spill(spilled.frame[[2, 0]])
    assert again.frame.equals(EVERY_TYPE[[2, 0]])
    spills.close()


def test_a_stored_segment_is_mapped_as_it_is(tmp_path: Path) -> None:
    spills = SpillDirectory(tmp_path, "one")
    plain = EVERY_TYPE.drop("category", "nothing")
    for frame in (plain, plain[[2, 0]], plain.filter(pl.col("int").is_null())):
        data = to_ipc(frame)
        loaded = spills.load(data)
        assert loaded is not None
        assert loaded.disk == len(data)
        assert loaded.frame.schema == frame.schema
        assert loaded.frame.equals(frame)
    del loaded
    gc.collect()
    assert not list(tmp_path.rglob("*.arrow"))
    spills.close()


@pytest.mark.parametrize(
    "frame",
    [
        EVERY_TYPE.select("int", "category"),
        EVERY_TYPE.select("nothing"),
        EVERY_TYPE.clear(),
        pl.concat([pl.DataFrame({"int": range(300_000)})] * 2, rechunk=False),
    ],
    ids=["dictionary", "null", "empty", "two batches"],
)
def test_what_cannot_be_mapped_is_decoded(tmp_path: Path, frame: pl.DataFrame) -> None:
    spills = SpillDirectory(tmp_path, "one")
    assert spills.load(to_ipc(frame)) is None
    gc.collect()
    assert not list(tmp_path.rglob("*.arrow"))
    spills.close()


def test_bytes_that_are_no_stream_are_not_mapped(tmp_path: Path) -> None:
    """Whoever decodes them says what is wrong."""
    spills, data = SpillDirectory(tmp_path, "one"), to_ipc(EVERY_TYPE.select("int", "text"))
    compressed = BytesIO()
    EVERY_TYPE.select("int").write_ipc_stream(compressed, compression="zstd")
    for wrong in (b"x", b"no stream, whatever it is", data[:200], data[:-80]):
        assert spills.load(wrong) is None
    assert spills.load(compressed.getvalue()) is None
    spills.close()


def test_the_file_goes_with_the_last_row(tmp_path: Path) -> None:
    frame = pl.DataFrame({"k": [f"key of some length {n}" for n in range(1_000)]})
    write_frame(frame, tmp_path / "x")
    mapped = map_frame(tmp_path / "x", frame.schema)
    one = mapped[[7]]
    del mapped
    gc.collect()
    assert (tmp_path / "x").exists()  # its text is there
    assert one.item() == "key of some length 7"
    del one
    gc.collect()
    assert not (tmp_path / "x").exists()


def test_closing_leaves_nothing_and_mapped_rows_readable(tmp_path: Path) -> None:
    spills = SpillDirectory(tmp_path, "one")
    assert list(tmp_path.iterdir()) == []  # nothing was spilled yet
    spilled = spills.spill(pl.DataFrame({"k": ["a" * 30]}))
    assert len(list(tmp_path.iterdir())) == 2
    spills.close()
    assert list(tmp_path.iterdir()) == []
    assert spilled.frame.item() == "a" * 30


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, polars as pl; from pathlib import Path\n"
        "from raystream.storage.spill_directory import SpillDirectory\n"
        "spills = SpillDirectory(Path(sys.argv[1]), 'dead')\n"
        "kept = spills.spill(pl.DataFrame({'k': [1]}))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL
    mine = SpillDirectory(tmp_path, "alive")
    kept = mine.spill(pl.DataFrame({"k": [2]}))
    assert len(list(tmp_path.iterdir())) == 4
    assert remove_leftovers(tmp_path) == 1
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"alive"}
    assert kept.frame.item() == 2
    mine.close()


def test_a_full_disk_is_said_with_the_directory(tmp_path: Path) -> None:
    spills = SpillDirectory(tmp_path, "full")
    (spills._directory() / "0.arrow").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="disk is full.*state_directory="):
        spills.spill(pl.DataFrame({"k": range(100_000)}))
    spills.close()
