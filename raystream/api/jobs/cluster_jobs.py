"""The jobs of a cluster, for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raystream.ids import SubtaskId
from raystream.observe.history import Point
from raystream.observe.status import StatusDocument

if TYPE_CHECKING:
    from raystream.api.jobs.job import Job


def how_it_ended(kind: str, message: str, read: int, written: int) -> str:
    """The answer to an order that has ended a job.

    >>> how_it_ended("stopped", "", 9, 3)
    'stopped: read 9, written 3'
    """
    return f"{kind}: {message or f'read {read}, written {written}'}"


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

    def history(self, job: str) -> Sequence[Point]:
        """See `Jobs.history`."""
        from raystream.runtime.ray.remote_job import find_job

        found: Sequence[Point] = find_job(job, self._address).ask("history")
        return found

    def rows(self, job: str, step: str, marks: Any) -> tuple[list[dict[str, Any]], Any]:
        """See `Jobs.rows`."""
        return as_json(*self._job(job).rows_since(step, known_marks(marks)))

    def act(self, job: str, order: str) -> str:
        """See `Jobs.act`."""
        found = self._job(job)
        if order == "savepoint":
            return f"savepoint: {found.savepoint()}"
        outcome = found.cancel() if order == "cancel" else found.stop(drain=order == "drain")
        if outcome is None:
            return "it is still ending"
        return how_it_ended(outcome.kind, outcome.message, outcome.rows_in, outcome.rows_out)

    def _job(self, name: str) -> Job:
        from raystream.api.jobs.job import on_cluster

        return on_cluster(name, self._address)


def known_marks(marks: Mapping[str, Any]) -> dict[SubtaskId, Any]:
    """Marks of a page, as a job takes them; the inverse of `as_json`."""
    return {_subtask(name): mark for name, mark in marks.items()}


def as_json(
    rows: list[dict[str, Any]], marks: Mapping[SubtaskId, Any]
) -> tuple[list[dict[str, Any]], Any]:
    """What a job answered, with marks that a page can send back."""
    return rows, {str(subtask): mark for subtask, mark in marks.items()}


def _subtask(name: str) -> SubtaskId:
    """The inverse of str(SubtaskId).

    >>> str(_subtask("counts[1]"))
    'counts[1]'
    """
    chain, _, index = name.removesuffix("]").rpartition("[")
    return SubtaskId(chain, int(index))
