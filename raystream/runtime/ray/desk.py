"""The desk: one thread that runs notes in turn, among them the completions of Ray calls."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

Note = Callable[[], None]
Then = Callable[[Any], None]


class Desk:
    """Code that runs only at a desk needs no locks: one thread runs all its notes.

    Args:
        failed: Called (by the thread) with the exception of a note.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._notes: queue.SimpleQueue[Note] = queue.SimpleQueue()
        self._alarms: list[tuple[float, Note]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="raystream-desk", daemon=True)
        self._thread.start()

    def put(self, note: Note) -> None:
        """Run this note at the desk; callable from any thread."""
        self._notes.put(note)

    def when(self, ref: Any, then: Then, timeout: float | None = None) -> None:
        """Call `then` at the desk with the result, the exception, or a TimeoutError; only once."""
        waiting = [then]

        def finish(result: Any) -> None:
            if waiting:
                waiting.pop()(result)

        def done(future: Future[Any]) -> None:
            result = future.exception() or future.result()
            self._notes.put(lambda: finish(result))

        ref.future().add_done_callback(done)
        if timeout is not None:
            late = TimeoutError(f"no answer within {timeout:.0f} s")
            self.after(timeout, lambda: finish(late))

    def after(self, seconds: float, note: Note) -> None:
        """Run this note later; call only from a note."""
        self._alarms.append((time.monotonic() + seconds, note))

    def close(self, last: Note, timeout: float) -> None:
        """Run this as the last note, and wait for it."""

        def end() -> None:
            try:
                last()
            finally:
                self._closed.set()

        self._notes.put(end)
        self._closed.wait(timeout)

    def _work(self) -> None:
        while not self._closed.is_set():
            try:
                note = self._notes.get(timeout=self._pause())
            except queue.Empty:
                note = self._ring_alarms
            try:
                note()
            except Exception as error:  # noqa: BLE001 - e.g. Ray's control service is away
                self._failed(error)

    def _pause(self) -> float | None:
        if not self._alarms:
            return None
        return max(0.0, min(at for at, _ in self._alarms) - time.monotonic())

    def _ring_alarms(self) -> None:
        now = time.monotonic()
        due = [alarm for alarm in self._alarms if alarm[0] <= now]
        self._alarms = [alarm for alarm in self._alarms if alarm[0] > now]
        for _, ring in due:
            ring()
