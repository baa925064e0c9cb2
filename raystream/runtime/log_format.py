"""Lines of the logs of a job's processes: for people, or JSON, one event a line."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

VARIABLE = "RAYSTREAM_LOG_FORMAT"
FORMATS = ("text", "json")
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_fields: dict[str, Any] = {}


def note_fields(**fields: Any) -> None:
    """What every following line of this process is about: job, attempt, subtask, .."""
    _fields.update(fields)


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
