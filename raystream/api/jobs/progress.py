"""What a job in the foreground prints for the person who started it."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from raystream.api.jobs.live_view import LiveView, PlainLines
from raystream.observe.words import resumed
from raystream.runtime.log_format import told_line

if TYPE_CHECKING:
    from raystream.observe.status import StatusDocument


def say(text: str) -> None:
    """Print a line on stderr for the person who started the job; in a notebook as normal output."""
    from raystream.api.notebook.cells import in_notebook

    if in_notebook():
        print(text, flush=True)
    else:
        print(told_line(text, _level(text)), file=sys.stderr, flush=True)


def _level(text: str) -> int:
    return logging.WARNING if text.startswith("warning: ") else logging.INFO


@contextmanager
def patiently(text: str, after: float = 3.0) -> Iterator[None]:
    """Print this if the block takes longer than `after` seconds, to avoid silence."""
    timer = threading.Timer(after, say, (text,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Progress:
    """Show each status of a job that runs in the foreground.

    On a terminal one live view, elsewhere a line every ten seconds.
    """

    def __init__(self) -> None:
        self._view: LiveView | PlainLines | None = None
        self._told: set[tuple[str, str]] = set()
        self._origin = ""

    def __call__(self, status: StatusDocument) -> None:
        """Show this status."""
        self._warn(status)
        if not self._origin and status.came_from:
            self._origin = status.came_from
            if status.came_from != "nothing":
                say(resumed(status.came_from, status.resumed_at))
        if self._view is None:
            self._view = _view()
        self._view.update(status)

    def _warn(self, status: StatusDocument) -> None:
        """Report once the fields that no column takes."""
        from raystream.observe.unknown import told

        for step in status.steps:
            fresh = tuple(n for n in step.unknown_names if (step.name, n) not in self._told)
            if fresh:
                self._told |= {(step.name, name) for name in fresh}
                say(f"warning: {told(step.description or step.name, fresh)}")

    def end(self) -> None:
        """Leave the last view in place."""
        if self._view is not None:
            self._view.end()


def _view() -> LiveView | PlainLines:
    from raystream.api.notebook.cells import in_notebook

    if in_notebook():
        return PlainLines(sys.stdout)
    if not sys.stderr.isatty():
        return PlainLines()
    from rich.console import Console

    return LiveView(Console(stderr=True))
