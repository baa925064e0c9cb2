"""Ctrl-C, SIGTERM and a closed terminal: the first stops with a last commit, the second cancels."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from raystream.runtime.log_format import told_line

_STOP = {
    signal.SIGINT: "stopping after a last commit; Ctrl-C once more ends it at once",
    signal.SIGTERM: "stopping after a last commit; a second signal ends it at once",
    signal.SIGHUP: "the terminal is gone: stopping after a last commit",
}
_NOW = "cancelling: ending without a last commit; once more kills it"


@contextmanager
def stop_on_signals(stop: Callable[[], None], now: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGINT, SIGTERM or SIGHUP and `now` at each further one.

    A closed terminal sends SIGHUP more than once (from the kernel and the shell): it always counts
    as one stop. `nohup`, which ignores it, stays in effect. Outside the main thread (a notebook's
    worker, a test) no handler can be set, and this does nothing.

    Args:
        stop: Requests a stop with a last commit; must return at once.
        now: Ends the job without a last commit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = 0
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        if number == signal.SIGHUP:
            _write_nowhere(terminals)
            if seen:
                return
        seen += 1
        _say(_NOW if seen > 1 else _STOP[signal.Signals(number)])
        (stop if seen == 1 else now)()

    before = {number: signal.signal(number, handle) for number in _STOP if _is_heard(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise KeyboardInterrupt like Ctrl-C, without `stop_on_signals`.

    Ray's own handler, from `ray.init`, would end the process with a C++ trace on the terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if _is_heard(number)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_heard(number: signal.Signals) -> bool:
    return number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN


def _write_nowhere(streams: list[int]) -> None:
    """Redirect to /dev/null: a write to a closed terminal would raise in its writer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _say(text: str) -> None:
    """Print in a thread: the handler may have interrupted a writer of the same stream."""
    line = {"file": sys.stderr, "flush": True}
    threading.Thread(
        target=print, args=(told_line(text),), kwargs=line, name="raystream-signal"
    ).start()
