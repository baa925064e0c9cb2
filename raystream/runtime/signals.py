"""Ctrl-C and SIGTERM: once is a stop with a last commit, twice is now."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals(stop: Callable[[], None], now: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGINT or SIGTERM and `now` at each further one.

    Outside the main thread (a notebook's worker, a test) no handler can be set: nothing happens.

    Args:
        stop: Asks the job for a last commit; must return at once.
        now: Ends the job without one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        (stop if seen == 1 else now)()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
