"""Readers of a command that go away."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND

JOB = """
import raystream as rs
p = rs.Pipeline("unread", checkpoint_storage="{place}/state")
p.read(rs.Rows([{{"a": 1}}, {{"a": 2}}])).write(rs.Files("{place}/out"))
"""


@pytest.fixture
def unread() -> Iterator[int]:
    """The end of a pipe that nobody reads."""
    there, here = os.pipe()
    os.close(there)
    yield here
    os.close(here)


def test_a_run_goes_on_when_nobody_reads_its_words(unread: int, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB.format(place=tmp_path))
    run = [*COMMAND, "run", f"{tmp_path}/job.py:p", "--local", "--until", "latest"]
    done = subprocess.run(run, stdout=unread, stderr=unread, timeout=60, check=False)
    assert done.returncode == 0
    assert sum(len(part.read_text().splitlines()) for part in (tmp_path / "out").iterdir()) == 2


def test_a_command_that_shows_something_ends_without_a_word(unread: int) -> None:
    done = subprocess.run(
        [*COMMAND, "--version"],
        stdout=unread,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
