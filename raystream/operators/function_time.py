"""Time in the user's functions that are called row by row: it is a cost of rows, not of the call.

It is wall time, since a function may wait. Everything else that a batch costs, such as a group-by
on a loaded machine, hardly depends on its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token


class FunctionTime:
    """Seconds that the block spent in functions, in this thread.

    Args:
        now: The clock.

    >>> times = iter([1.0, 1.5])
    >>> with FunctionTime(lambda: next(times)) as spent:
    ...     with in_functions():
    ...         pass
    >>> spent.seconds
    0.5
    """

    __slots__ = ("_outer", "now", "seconds")

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds = 0.0
        self._outer: Token[FunctionTime | None] | None = None

    def __enter__(self) -> FunctionTime:
        """Begin."""
        self._outer = _MEASURED.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        """End, also behind an error."""
        assert self._outer is not None
        _MEASURED.reset(self._outer)


_MEASURED: ContextVar[FunctionTime | None] = ContextVar("measured", default=None)


@contextmanager
def in_functions() -> Iterator[None]:
    """The block calls functions of the user for rows; it holds no other such block."""
    measured = _MEASURED.get()
    if measured is None:
        yield
        return
    began = measured.now()
    try:
        yield
    finally:
        measured.seconds += measured.now() - began
