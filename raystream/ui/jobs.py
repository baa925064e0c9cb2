"""The jobs that a page shows, wherever they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from raystream.observe.history import Point
from raystream.observe.status import StatusDocument


class Jobs(Protocol):
    """Jobs that can be looked at and given orders; every call may block."""

    def statuses(self) -> Sequence[StatusDocument]:
        """The newest document of each job; state `silent` for one that gives no answer.

        Raises:
            RaystreamError: none can be asked, as there is no cluster.
        """
        ...

    def history(self, job: str) -> Sequence[Point]:
        """The last 15 minutes of a job, as far as it knows them itself, oldest first.

        Raises:
            RaystreamError: it does not answer, or its raystream is older.
        """
        ...

    def rows(self, job: str, step: str, marks: Any) -> tuple[list[dict[str, Any]], Any]:
        """Rows that left a step since the call that returned `marks`, and the next ones, as JSON.

        Raises:
            RaystreamError: there is no such job or step.
        """
        ...

    def act(self, job: str, order: str) -> str:
        """Savepoint, stop, drain or cancel; returns what came of it, for people.

        Raises:
            RaystreamError: it failed.
        """
        ...
