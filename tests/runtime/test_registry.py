"""Files of the runs of a user on this machine: private, and true when processes are gone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from raystream.runtime import registry


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_run_is_found_while_its_process_lives_and_has_its_cluster() -> None:
    registry.note("sale", "/state", "127.0.0.1:7")
    (run,) = registry.known()
    assert (run.job, run.pid, run.address, run.lives) == ("sale", os.getpid(), "127.0.0.1:7", True)
    (path,) = registry.directory().iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    registry.over("sale")
    (run,) = registry.known()
    assert (run.storage, run.lives) == ("/state", False)


def test_a_process_that_died_or_a_number_used_again_is_no_run(home: Path) -> None:
    note = "from raystream.runtime.registry import note; note('sale', '/state', '127.0.0.1:7')"
    subprocess.run([sys.executable, "-c", note], check=True)
    (run,) = registry.known()
    assert not run.lives
    again = registry.KnownRun("sale", os.getpid(), "12", "127.0.0.1:7", "/state")
    assert not again.lives
    registry.note("sale", "/other")  # the dead one of the same job goes
    assert [run.storage for run in registry.known()] == ["/other"]


def test_what_is_no_file_of_ours_is_passed_over_and_memory_is_not_told(home: Path) -> None:
    registry.note("sale", "memory://x", "127.0.0.1:7")
    assert registry.known() == []
    registry.directory().mkdir(parents=True)
    (registry.directory() / "broken.json").write_text("{")
    (registry.directory() / "other.json").write_text('{"job": 1}')
    assert registry.known() == []


def test_a_home_that_takes_nothing_stops_no_run(home: Path) -> None:
    (home / ".raystream").write_text("a file")
    registry.note("sale", "/state")
    assert registry.known() == []
