"""The jobs that a page shows, wherever they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from raystream.ids import SubtaskId
from raystream.observe.status import StatusDocument

if TYPE_CHECKING:
    from raystream.api.jobs.job import Job


class Jobs(Protocol):
    """Jobs that can be looked at and given orders; every call may block."""

    def statuses(self) -> Sequence[StatusDocument]:
        """The newest document of each job; state `silent` for one that gives no answer.

        Raises:
            RaystreamError: none can be asked, as there is no cluster.
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


class ClusterJobs:
    """The jobs of a Ray cluster, and those of this user on a private Ray of this machine.

    Args:
        address: Of the cluster. Default: RAY_ADDRESS, else a head on this machine.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address

    def statuses(self) -> Sequence[StatusDocument]:
        """See `Jobs.statuses`."""
        from raystream.runtime.ray.overview import once

        return once(self._address)

    def rows(self, job: str, step: str, marks: Any) -> tuple[list[dict[str, Any]], Any]:
        """See `Jobs.rows`."""
        known = {_subtask(name): mark for name, mark in marks.items()}
        rows, found = self._job(job).rows_since(step, known)
        return rows, {str(subtask): mark for subtask, mark in found.items()}

    def act(self, job: str, order: str) -> str:
        """See `Jobs.act`."""
        found = self._job(job)
        if order == "savepoint":
            return f"savepoint: {found.savepoint()}"
        outcome = found.cancel() if order == "cancel" else found.stop(drain=order == "drain")
        return "it is still ending" if outcome is None else outcome.message or outcome.kind

    def _job(self, name: str) -> Job:
        from raystream.api.jobs.job import on_cluster

        return on_cluster(name, self._address)


def _subtask(name: str) -> SubtaskId:
    """The inverse of str(SubtaskId).

    >>> str(_subtask("counts[1]"))
    'counts[1]'
    """
    chain, _, index = name.removesuffix("]").rpartition("[")
    return SubtaskId(chain, int(index))
