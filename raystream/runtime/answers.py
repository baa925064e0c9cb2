"""Pending answers of a job: a ticket and a future for each, and none is lost."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Lock
from typing import Any

from raystream.errors import RaystreamError


class Answers:
    """Futures by ticket; every method may be called by any thread.

    Args:
        job: Name of the job, for the message to late callers.

    >>> answers = Answers("sale")
    >>> ticket, answer = answers.expect()
    >>> answers.give(ticket, 7)
    >>> answer.result()
    7
    """

    def __init__(self, job: str) -> None:
        self._job = job
        self._lock = Lock()
        self._last = 0
        self._expected: dict[int, Future[Any]] = {}
        self._closed = False

    def expect(self) -> tuple[int, Future[Any]]:
        """A new ticket, and the future of its answer."""
        future: Future[Any] = Future()
        with self._lock:
            self._last += 1
            ticket = self._last
            if not self._closed:
                self._expected[ticket] = future
                return ticket, future
        future.set_exception(self._too_late())
        return ticket, future

    def give(self, ticket: int, result: object) -> None:
        """Set the answer of a ticket, or the error instead of one."""
        with self._lock:
            future = self._expected.pop(ticket, None)
        if future is None:
            return
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)

    def close(self) -> None:
        """Fail all pending and all later tickets: the job has ended."""
        with self._lock:
            self._closed = True
            left = list(self._expected)
        for ticket in left:
            self.give(ticket, self._too_late())

    def _too_late(self) -> RaystreamError:
        return RaystreamError(f"job {self._job} has ended", "", "start it again, then ask again")
