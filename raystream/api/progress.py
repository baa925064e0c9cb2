"""One live line on a terminal while a job runs; nothing where nobody looks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raystream.observe.status import StatusDocument


def say(text: str) -> None:
    """A line for the person who started the job."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def patiently(text: str, after: float = 3.0) -> Iterator[None]:
    """Say this if the block takes longer than `after` seconds: nobody should face silence."""
    timer = threading.Timer(after, say, (text,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Progress:
    """Rewrites one line of the terminal with each status."""

    def __init__(self) -> None:
        self._before: StatusDocument | None = None
        self._shown = sys.stderr.isatty()

    def __call__(self, status: StatusDocument) -> None:
        """Show this status."""
        if not self._shown:
            return
        from raystream.observe.live_line import live_line

        sys.stderr.write(f"\r\x1b[K{live_line(status, self._before)}")
        sys.stderr.flush()
        self._before = status

    def end(self) -> None:
        """Leave the line as it is."""
        if self._shown and self._before is not None:
            sys.stderr.write("\n")
