"""Pipes whose reader goes away: `raystream logs NAME | head`, `raystream run .. 2>&1 | tee log`.

A command that only prints something is done when its reader is gone. A run is not: a job does not
end because its output is no longer read.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

STANDARD = (1, 2)


def write_nowhere(*descriptors: int) -> None:
    """Discard everything written to these descriptors from now on.

    Args:
        descriptors: Of the streams; default: standard output and error.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in descriptors or STANDARD:
        os.dup2(nowhere, stream)
    os.close(nowhere)


@contextlib.contextmanager
def going_on() -> Iterator[None]:
    """Drop output once its reader is gone, without an error."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (
        stream if stream is None or stream.isatty() else Dropping(stream) for stream in before
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class Dropping:
    """A text stream that drops output once its reader is gone.

    Args:
        stream: The real one.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write like the real stream."""
        try:
            self._stream.write(text)
        except BrokenPipeError:
            write_nowhere(self._stream.fileno())
        return len(text)

    def flush(self) -> None:
        """Flush like the real stream."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            write_nowhere(self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        """Delegate everything else to the real stream."""
        return getattr(self._stream, name)
