"""docs/notebook.md: its programs run, and what it calls exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import raystream as rs

PAGE = (Path(__file__).parents[2] / "docs/notebook.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_programs_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", str(tmp_path / "checkpoints"))
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(block, names)  # noqa: S102
    assert capsys.readouterr().out.count("nothing was written") == 2
    assert len(blocks("python")) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_it_calls_of_a_job_exists() -> None:
    (session,) = blocks("py")
    compile(session, "session", "exec")
    called = set(re.findall(r"\bjob\.(\w+)\(", PAGE))
    assert called >= {"status", "progress", "tail", "savepoint", "stop", "wait"}
    assert [name for name in called if not hasattr(rs.Job, name)] == []
