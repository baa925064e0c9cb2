"""Lines of a log that is rotated while it is read: none is lost, none comes twice."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from raystream.runtime.ray import log_files
from raystream.runtime.ray.log_files import LOST, last_lines, lines_since


class Log:
    """A process's standard error, rotated as Ray does it."""

    def __init__(self, here: Path, kept: int = 50) -> None:
        self.path = here / "worker-abc-ffff-77.err"
        self.kept = kept
        self.path.touch()

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    def rotate(self) -> None:
        for number in range(self.kept, 0, -1):
            older = self.path if number == 1 else self.name(number - 1)
            if older.exists():
                os.replace(older, self.name(number))
        self.path.touch()

    def name(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


@pytest.mark.parametrize("seed", range(20))
def test_every_line_comes_once(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "MOST_BYTES", 100)  # several reads for one file, too
    chance, log = random.Random(seed), Log(tmp_path)
    log.write("first\n")
    found, mark = last_lines(log.path)
    assert mark is not None
    wrote = 0
    for _ in range(300):
        match chance.randrange(6):
            case 0:
                log.rotate()
            case 1 | 2:
                lines, mark = lines_since(log.path, mark)
                found += lines
            case _:
                for _ in range(chance.randrange(1, 9)):
                    log.write(f"line {wrote}\n")
                    wrote += 1
    while True:
        lines, mark = lines_since(log.path, mark)
        if not lines:
            break
        found += lines
    assert found == ["first", *(f"line {n}" for n in range(wrote))]


def test_a_line_is_whole_before_it_is_told(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write("one\n")
    _, mark = last_lines(log.path)
    assert mark is not None
    log.write("tw")
    lines, mark = lines_since(log.path, mark)
    assert lines == []
    log.write("o\n")
    log.rotate()
    log.write("three\n")
    assert lines_since(log.path, mark)[0] == ["two", "three"]


def test_the_last_lines_are_of_rotated_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path)
    for text in ("one\ntwo\n", "three\n", ""):
        log.write(text)
        log.rotate()
    assert last_lines(log.path)[0] == ["one", "two", "three"]
    monkeypatch.setattr(log_files, "MOST_BYTES", 12)
    assert last_lines(log.path)[0] == ["two", "three"]  # the rest of "one" is no line


def test_what_was_rotated_away_unread_is_said(tmp_path: Path) -> None:
    log = Log(tmp_path, kept=1)
    log.write("one\n")
    _, mark = last_lines(log.path)
    assert mark is not None
    for text in ("two\n", "three\n", "four\n"):
        log.rotate()
        log.write(text)
    lines, mark = lines_since(log.path, mark)
    assert [line for line in lines if line != LOST] == ["three", "four"]
    assert lines_since(log.path, mark)[0] == []


def test_a_line_without_an_end_does_not_hold_up_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "MOST_BYTES", 10)
    log = Log(tmp_path)
    _, mark = last_lines(log.path)
    assert mark is not None
    log.write("x" * 15 + "\nnext\n")
    lines: list[str] = []
    for _ in range(3):
        more, mark = lines_since(log.path, mark)
        lines += more
    assert lines == ["x" * 10, "x" * 5, "next"]
