"""A run in a process that is already connected to Ray: a notebook, a script with `ray.init`."""

from __future__ import annotations

from typing import Any

from raystream.job.outcome import Outcome
from raystream.job.spec import JobSpec
from raystream.runtime.ray.cluster import cpus
from raystream.runtime.ray.entry import OnStatus, run
from raystream.runtime.ray.remote_job import find_job


class Connected:
    """Runs a job on the existing connection, and keeps it.

    Args:
        address: As given by the user.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._name = ""

    @property
    def cpus(self) -> int:
        """CPUs of the cluster."""
        return cpus()

    def run(self, job: JobSpec, on_status: OnStatus | None) -> Outcome:
        """Run a job to its end; see `entry.run`."""
        self._name = job.name
        return run(job, self._address, on_status)

    def ask(self, method: str, *arguments: Any) -> Any:
        """See `foreground.Runtime.ask`.

        Raises:
            RaystreamError: the answer is an error, or the job has ended.
        """
        return find_job(self._name, self._address).ask(method, *arguments)
