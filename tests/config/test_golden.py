"""Every mistake of the corpus is reported at once, at its place, in these words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.corpus import CONFIGS, LOADING, files, messages

WRONG = [*files("text"), *files("shape"), *files("meaning")]


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_messages(path: Path) -> None:
    assert messages(path) == path.with_suffix(".txt").read_text()


@pytest.mark.parametrize(
    "path", [*files("good"), *sorted(CONFIGS.glob("*_*.yaml"))], ids=lambda p: p.stem
)
def test_what_is_right_is_accepted(path: Path) -> None:
    assert messages(path) == ""


def test_the_corpus_is_whole() -> None:
    assert len(WRONG) > 30
    assert all(path.with_suffix(".txt").read_text().strip() for path in WRONG)


def test_the_places_are_where_the_words_are() -> None:
    """The character at each place begins the word that the message quotes first, where it does."""
    checked = 0
    for path in files("meaning"):
        lines = path.read_text().splitlines()
        for message in path.with_suffix(".txt").read_text().splitlines():
            _, line, column, _ = message.split(":", 3)
            for words in ("unknown aggregate '", "unsupported function '", "no column '"):
                if words in message and "event_time" not in message:
                    word = message.split(words)[1].split("'")[0]
                    assert lines[int(line) - 1][int(column) - 1 :].startswith(word)
                    checked += 1
    assert checked >= 7


def test_a_pipeline_from_a_file_is_the_same_twice() -> None:
    from raystream.config.load import load

    path = str(files("good")[0])
    assert load(path, LOADING).pipeline.explain() == load(path, LOADING).pipeline.explain()
