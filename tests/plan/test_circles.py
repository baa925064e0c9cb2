"""A job does not read what it writes: its files, or its checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

import raystream as rs
from raystream.errors import ConfigurationError

ROW = '{"n": 1}\n'


def job(home: Path, source: str, sink: rs.Files, storage: str = "kept") -> rs.Pipeline:
    pipeline = rs.Pipeline("circle", checkpoint_storage=str(home / storage))
    rows = pipeline.read(
        rs.Files(home / source), schema={"n": "int", "a": "int", "b": "int"}, name="in"
    )
    rows.write(sink, name="out")
    return pipeline


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("in/a.jsonl", "in/deep/b.jsonl", "in/.hidden/c.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(ROW)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    return tmp_path


READ_AGAIN = [
    ("in", "in", {}),
    ("in", "in/deep", {}),
    ("in", "in/new", {}),
    ("in", "link", {}),
    ("link", "in/deep", {}),
    ("in/*", "in", {}),
    ("in/*.jsonl", "in", {}),
    ("in/**/*.jsonl", "in", {}),
    ("i?/**/part-*", "in/new/x", {}),
    ("*/*/*.jsonl", "in/deep", {}),
    ("in/*/*.jsonl", "in", {"partition_by": "n"}),
    ("in/*/*/*.csv", "in", {"partition_by": ["a", "b"], "format": "csv"}),
]
OTHERS = [
    ("in", "out", {}),
    ("in", "inside", {}),
    ("in", ".", {}),
    ("in", "in/.hidden", {}),
    ("in", "in/_done", {}),
    ("in/a.jsonl", "in", {}),
    ("in/*.jsonl", "in", {"format": "csv"}),
    ("in/*.jsonl", "in", {"partition_by": "n"}),
    ("in/*.jsonl", "in/deep", {}),
    ("in/a*", "in", {}),
    ("in/*/*.jsonl", "in", {}),
]


@pytest.mark.parametrize(("source", "sink", "options"), READ_AGAIN)
def test_a_sink_does_not_feed_a_source(
    home: Path, source: str, sink: str, options: dict[str, str]
) -> None:
    target = rs.Files(home / sink, **options)
    with pytest.raises(ConfigurationError, match="'in' reads: rows would be read again") as error:
        job(home, source, target).plan()
    assert error.value.what_to_do == "write to another directory"
    assert "test_circles.py:" in error.value.where


@pytest.mark.parametrize(("source", "sink", "options"), OTHERS)
def test_files_that_are_not_read_may_be_written(
    home: Path, source: str, sink: str, options: dict[str, str]
) -> None:
    job(home, source, rs.Files(home / sink, **options)).plan()


@pytest.mark.parametrize(("source", "storage"), [("in", "in"), ("in", "in/kept"), (".", "kept")])
def test_checkpoints_are_not_read(home: Path, source: str, storage: str) -> None:
    made = job(home, source, rs.Files(home.with_name("out")), storage)
    with pytest.raises(ConfigurationError, match="'in' would read the checkpoints in") as error:
        made.run(until="latest", local=True)
    assert "test_circles.py:" in error.value.where
    assert not (home / storage / "circle").exists()


def test_checkpoints_beside_what_a_pattern_matches(home: Path) -> None:
    made = job(home, "in/*.jsonl", rs.Files(home / "out"), "in")
    assert made.run(until="latest", local=True).rows_out == 1
