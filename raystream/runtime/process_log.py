"""Python logging of a process of a job, and the job's diary as lines of it."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from raystream.observe.diary import events
from raystream.observe.status import StatusDocument
from raystream.runtime.log_format import about, formatter, is_chosen, note_fields

_CHATTY = ("kafka", "urllib3", "asyncio")


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to what standard error is now: a live view replaces it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


_handler = _ToStderr()


def log_to_stderr() -> None:
    """Send Python logging of this process to its log, from INFO on, for raystream and user code."""
    root = logging.getLogger()
    if root.handlers:
        return
    _handler.setFormatter(formatter(os.environ))
    root.addHandler(_handler)
    root.setLevel(logging.INFO)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def log_about(environment: Mapping[str, str], **fields: Any) -> None:
    """Tell in every following line of this process what it is about.

    Args:
        environment: Variables of the driver: with the format of the lines.
        fields: job, attempt, subtask, ..
    """
    note_fields(**fields)
    _handler.setFormatter(formatter(environment or os.environ))


def write_diary() -> Callable[[StatusDocument], None]:
    """A function that receives every status document of a job and logs the changes."""
    log, before = logging.getLogger("raystream.job"), [StatusDocument("", "")]

    def write(status: StatusDocument) -> None:
        for event in events(before[0], status):
            fields = {"attempt": event.attempt, "checkpoint": event.checkpoint, "kind": event.kind}
            log.info("%s", event.text, extra={"fields": fields})
        before[0] = status

    return write


@contextmanager
def logged_here(
    job: str, doing: Callable[[], Mapping[str, Any]]
) -> Iterator[Callable[[StatusDocument], None]]:
    """Log a job that runs in this process, if a format was chosen; yields what takes its statuses.

    A logging setup that the user made is left as it is, and gets the job's diary, too.

    Args:
        job: Its name.
        doing: What this thread does at the moment: attempt, step, subtask.
    """
    if not is_chosen(os.environ):
        yield lambda status: None
        return
    with about(job=job), _taken_back():
        log_to_stderr()
        here = threading.get_ident()

        def tell_what(record: logging.LogRecord) -> bool:
            if record.thread == here:
                record.fields = {**doing(), **getattr(record, "fields", {})}
            return True

        _handler.addFilter(tell_what)
        try:
            yield write_diary()
        finally:
            _handler.removeFilter(tell_what)


@contextmanager
def _taken_back() -> Iterator[None]:
    """Leave Python logging as it was: this process may run other things afterwards."""
    loggers = [logging.getLogger(name) for name in ("", *_CHATTY)]
    levels = [logger.level for logger in loggers]
    try:
        yield
    finally:
        logging.getLogger().removeHandler(_handler)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
