"""A run whose checkpoint storage was emptied ends: from nothing it would write all once more."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.errors import JobFailed
from raystream.storage.open import job_store


def job(folder: Path) -> rs.Pipeline:
    """Its function empties the storage and then fails, once, after rows were committed."""
    storage, done = folder / "storage", folder / "done"

    def empties(row: dict[str, Any]) -> dict[str, Any]:
        if any((folder / "out").glob("part-*")) and not done.exists():
            done.touch()
            shutil.rmtree(storage)
            job_store(str(storage), "emptied")  # as whoever writes to it next makes it anew
            raise RuntimeError(row)
        return row

    p = rs.Pipeline("emptied", checkpoint_storage=str(storage), checkpoint_interval="0.05s")
    rows = p.read(rs.Datagen(rate=2000, rows=20_000), name="in")
    rows.map(empties, name="f").write(rs.Files(folder / "out"), name="out")
    return p


def test_it_does_not_start_from_nothing(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="removed or replaced.*put it back from a copy"):
        job(tmp_path).run(local=True)
    assert (tmp_path / "done").exists()
