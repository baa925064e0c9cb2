"""Log lines as JSON: one line an event, with what it is about."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from raystream.runtime import log_format
from raystream.runtime.log_format import (
    VARIABLE,
    JsonLines,
    about,
    formatter,
    is_chosen,
    note_fields,
    told_line,
)


def record(message: str, *arguments: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("jobs.sale", logging.WARNING, "x.py", 1, message, arguments, None)
    made.__dict__.update(more)
    return made


def test_a_line_tells_what_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_format, "_fields", {})
    note_fields(job="sale", attempt=1, step="counts", subtask=0)
    note_fields(attempt=2)
    line = JsonLines().format(record("two\nlines of %s", "ü", fields={"checkpoint": 7}))
    assert "\n" not in line
    told = json.loads(line)
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "warning",
        "logger": "jobs.sale",
        "message": "two\nlines of ü",
        "job": "sale",
        "attempt": 2,
        "step": "counts",
        "subtask": 0,
        "checkpoint": 7,
    }


def test_an_exception_stays_in_its_line() -> None:
    try:
        raise ValueError("boom")  # noqa: EM101, TRY003
    except ValueError:
        line = JsonLines().format(record("failed", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert "ValueError: boom" in json.loads(line)["exception"]


def test_text_unless_json_is_asked_for() -> None:
    assert isinstance(formatter({VARIABLE: "JSON"}), JsonLines)
    for environment in ({}, {VARIABLE: "text"}):
        assert formatter(environment).format(record("hello")).endswith("jobs.sale: hello")


def test_what_a_run_says_is_a_line_of_the_chosen_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not is_chosen({VARIABLE: " "})
    assert told_line("as it is") == "as it is"
    monkeypatch.setenv(VARIABLE, "json")
    with about(job="sale"):
        told = json.loads(told_line("two\nlines", logging.ERROR))
    assert (told["message"], told["level"], told["job"]) == ("two\nlines", "error", "sale")
    assert "job" not in json.loads(told_line("afterwards"))
