"""Lines of the logs of a job's processes: for people, or JSON, one event a line."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

VARIABLE = "RAYSTREAM_LOG_FORMAT"
FORMATS = ("text", "json")
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_fields: dict[str, Any] = {}


def note_fields(**fields: Any) -> None:
    """What every following line of this process is about: job, attempt, subtask, .."""
    _fields.update(fields)


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """What the lines of this process are about while the block runs."""
    before = dict(_fields)
    _fields.update(fields)
    try:
        yield
    finally:
        _fields.clear()
        _fields.update(before)


def is_chosen(environment: Mapping[str, str]) -> bool:
    """Whether somebody has said how lines are to be written."""
    return bool(environment.get(VARIABLE, "").strip())


def told_line(text: str, level: int = logging.INFO) -> str:
    """What a run says to the person who started it, in the format that the environment asks for.

    Args:
        text: In text, it stays as it is.
        level: Of the line in JSON.
    """
    wanted = formatter(os.environ)
    if not isinstance(wanted, JsonLines):
        return text
    record = logging.LogRecord("raystream.run", level, "", 0, "%s", (text,), None)
    return wanted.format(record)


def formatter(environment: Mapping[str, str]) -> logging.Formatter:
    """The formatter that the environment asks for; text unless it says json."""
    wanted = environment.get(VARIABLE, "").strip().lower()
    return JsonLines() if wanted == "json" else logging.Formatter(TEXT)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what it is about.

    A record adds fields of its own by `extra={"fields": {..}}`.

    >>> record = logging.LogRecord("jobs", logging.INFO, "", 0, "hello", None, None)
    >>> json.loads(JsonLines().format(record))["message"]
    'hello'
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, UTC)
        told: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str, ensure_ascii=False)
