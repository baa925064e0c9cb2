"""An executor without threads."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any

from raystream.connectors.kafka.clients import ClientError


class AtOnce(Executor):
    """Runs what is submitted on the spot."""

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        try:
            answer.set_result(work(*args, **kwargs))
        except ClientError as error:
            answer.set_exception(error)
        return answer
