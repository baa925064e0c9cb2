"""Time in the user's functions that are called row by row: it is a cost of rows, not of the call.

It is wall time, since a function may wait. Everything else that a batch costs, such as a group-by
on a loaded machine, hardly depends on its rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Here(threading.local):
    """What the thread measures.

    Attributes:
        now: Its clock; None: nothing is measured.
        seconds: In functions so far.
    """

    now: Callable[[], float] | None = None
    seconds = 0.0


_HERE = _Here()


class FunctionTime:
    """Seconds that the block spent in functions.

    >>> times = iter([1.0, 1.5])
    >>> with FunctionTime(lambda: next(times)) as spent:
    ...     with in_functions():
    ...         pass
    >>> spent.seconds
    0.5
    """

    __slots__ = ("_now", "seconds")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.seconds = 0.0

    def __enter__(self) -> FunctionTime:
        """Begin."""
        _HERE.now, _HERE.seconds = self._now, 0.0
        return self

    def __exit__(self, *error: object) -> None:
        """End, also behind an error."""
        self.seconds, _HERE.now = _HERE.seconds, None


@contextmanager
def in_functions() -> Iterator[None]:
    """The block calls functions of the user for rows; it holds no other such block."""
    now = _HERE.now
    if now is None:
        yield
        return
    began = now()
    try:
        yield
    finally:
        _HERE.seconds += now() - began
