"""Questions to the coordinator of a job that its driver passes on, and their answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from raystream.runtime.ray import driver_messages as said


class Unanswered(Exception):  # noqa: N818 - a fact
    """Who was asked is gone; another may be asked again."""


class Questions:
    """Those that are open: asked by some threads, answered by the one that hears the driver."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, Future[Any]] = {}
        self._last = 0
        self._send: Callable[[said.Ask], None] | None = None

    def begin(self, send: Callable[[said.Ask], None]) -> None:
        """Somebody can be asked.

        Args:
            send: Takes a question.
        """
        with self._lock:
            self._send = send

    def end(self) -> None:
        """Nobody can be asked any more."""
        with self._lock:
            self._send, unanswered = None, list(self._open.values())
            self._open.clear()
        for future in unanswered:
            future.set_exception(Unanswered())

    def ask(self, method: str, arguments: tuple[Any, ...]) -> Any:
        """The answer; waits for it.

        Raises:
            Unanswered: nobody is there, or went away meanwhile.
            Exception: what the question led to.
        """
        future: Future[Any] = Future()
        with self._lock:
            if self._send is None:
                raise Unanswered
            self._last += 1
            self._open[self._last] = future
            self._send(said.Ask(self._last, method, arguments))
        return future.result()

    def answer(self, answer: said.Answer) -> None:
        """Hand it to who asked."""
        with self._lock:
            future = self._open.pop(answer.number, None)
        if future is None:
            return
        if answer.error is None:
            future.set_result(answer.value)
        else:
            future.set_exception(answer.error)
