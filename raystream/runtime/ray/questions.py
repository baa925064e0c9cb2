"""Questions to the coordinator of a job, sent through its driver, and their answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from raystream.runtime.ray import driver_messages as messages


class Unanswered(Exception):  # noqa: N818 - a fact
    """The coordinator is gone; another one may be asked again."""


class Questions:
    """Open questions: asked by some threads, answered by the one that receives from the driver."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, Future[Any]] = {}
        self._last = 0
        self._send: Callable[[messages.Ask], None] | None = None

    def begin(self, send: Callable[[messages.Ask], None]) -> None:
        """Start accepting questions.

        Args:
            send: Sends a question.
        """
        with self._lock:
            self._send = send

    def end(self) -> None:
        """Stop accepting questions, and fail the open ones."""
        with self._lock:
            self._send, unanswered = None, list(self._open.values())
            self._open.clear()
        for future in unanswered:
            future.set_exception(Unanswered())

    def ask(self, method: str, arguments: tuple[Any, ...]) -> Any:
        """Send a question and wait for the answer.

        Raises:
            Unanswered: there is no coordinator, or it went away meanwhile.
            Exception: the error of the question.
        """
        future: Future[Any] = Future()
        with self._lock:
            if self._send is None:
                raise Unanswered
            self._last += 1
            self._open[self._last] = future
            self._send(messages.Ask(self._last, method, arguments))
        return future.result()

    def answer(self, answer: messages.Answer) -> None:
        """Pass an answer to the asking thread."""
        with self._lock:
            future = self._open.pop(answer.number, None)
        if future is None:
            return
        if answer.error is None:
            future.set_result(answer.value)
        else:
            future.set_exception(answer.error)
