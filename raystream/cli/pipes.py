"""Readers that go away: `raystream logs NAME | head`, `raystream run .. 2>&1 | tee log`.

A command that only shows something is done when nobody reads on. A run is not: nobody's job ends
because of who reads its words.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

STANDARD = (1, 2)


def write_nowhere(*descriptors: int) -> None:
    """From now on what is written there goes nowhere.

    Args:
        descriptors: Of the streams; none: standard output and error.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in descriptors or STANDARD:
        os.dup2(nowhere, stream)
    os.close(nowhere)


@contextlib.contextmanager
def going_on() -> Iterator[None]:
    """What is printed when nobody reads any more is dropped, and raises nothing."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (
        stream if stream is None or stream.isatty() else Dropping(stream) for stream in before
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class Dropping:
    """A text stream whose reader may go away.

    Args:
        stream: The real one.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As the real one."""
        try:
            self._stream.write(text)
        except BrokenPipeError:
            write_nowhere(self._stream.fileno())
        return len(text)

    def flush(self) -> None:
        """As the real one."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            write_nowhere(self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        """Everything else is that of the real one."""
        return getattr(self._stream, name)
