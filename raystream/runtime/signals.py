"""Ctrl-C and SIGTERM: once is a stop with a last commit, twice is now."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOP = {
    signal.SIGINT: "stopping after a last commit; Ctrl-C once more ends it at once",
    signal.SIGTERM: "stopping after a last commit; a second signal ends it at once",
}
_NOW = "ending at once, without a last commit"


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
        _say(_NOW if seen > 1 else _STOP[signal.Signals(number)])
        (stop if seen == 1 else now)()

    before = {number: signal.signal(number, handle) for number in _STOP}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Make SIGTERM what Ctrl-C is, KeyboardInterrupt, where no `stop_on_signals` takes it.

    Ray's own handler, from `ray.init`, would end the process with a trace of C++ on the terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(text: str) -> None:
    """By a thread: the handler may have interrupted somebody who writes there."""
    line = {"file": sys.stderr, "flush": True}
    threading.Thread(target=print, args=(text,), kwargs=line, name="raystream-signal").start()
