"""The main thread of the workers: runs callbacks in turn, among them completions of Ray calls."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

Callback = Callable[[], None]
Then = Callable[[Any], None]


class MainThread:
    """Code that runs only in the main thread needs no locks: one thread runs all its callbacks.

    Args:
        failed: Called (by the thread) with the exception of a callback.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._callbacks: queue.SimpleQueue[Callback] = queue.SimpleQueue()
        self._timers: list[tuple[float, Callback]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="raystream-workers", daemon=True)
        self._thread.start()

    def put(self, callback: Callback) -> None:
        """Run this callback in the main thread; callable from any thread."""
        self._callbacks.put(callback)

    def when(self, ref: Any, then: Then, timeout: float | None = None) -> None:
        """Call `then` once with the result, the exception, or a TimeoutError."""
        waiting = [then]

        def finish(result: Any) -> None:
            if waiting:
                waiting.pop()(result)

        def done(future: Future[Any]) -> None:
            result = future.exception() or future.result()
            self._callbacks.put(lambda: finish(result))

        ref.future().add_done_callback(done)
        if timeout is not None:
            late = TimeoutError(f"no answer within {timeout:.0f} s")
            self.after(timeout, lambda: finish(late))

    def after(self, seconds: float, callback: Callback) -> None:
        """Run this callback later; call only from a callback."""
        self._timers.append((time.monotonic() + seconds, callback))

    def close(self, last: Callback, timeout: float) -> None:
        """Run this as the last callback, and wait for it."""

        def end() -> None:
            try:
                last()
            finally:
                self._closed.set()

        self._callbacks.put(end)
        self._closed.wait(timeout)

    def _work(self) -> None:
        while not self._closed.is_set():
            try:
                callback = self._callbacks.get(timeout=self._pause())
            except queue.Empty:
                callback = self._run_due
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - e.g. Ray's control service is away
                self._failed(error)

    def _pause(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, min(at for at, _ in self._timers) - time.monotonic())

    def _run_due(self) -> None:
        now = time.monotonic()
        due = [timer for timer in self._timers if timer[0] <= now]
        self._timers = [timer for timer in self._timers if timer[0] > now]
        for _, due_callback in due:
            due_callback()
