"""A job as seen from another process: questions to its coordinator, and handling of silence."""

from __future__ import annotations

import os
import time
from typing import Any

import ray

from raystream.errors import ConfigurationError, RaystreamError
from raystream.graph.nearest import did_you_mean
from raystream.observe.older import completed
from raystream.runtime import registry
from raystream.runtime.ray import entry, supervised
from raystream.runtime.ray.asked import LOOK_S, PATIENCE_S, Asked, Gone
from raystream.runtime.ray.cluster import is_connected, look_at, look_at_private, started_head
from raystream.runtime.registry import KnownRun

_get: Any = ray.get
_errors: Any = ray.exceptions


NO_CLUSTER = (
    "name its address, or set RAY_ADDRESS; `raystream list --all` shows runs that have ended"
)
"""Advice where nothing runs."""


def connect_if_there_is_one(address: str | None) -> bool:
    """Connect to a standing cluster, as `entry.submit` would; False: there is none."""
    if is_connected(address):
        return True
    found = address or os.environ.get("RAY_ADDRESS") or started_head()
    if found is None or found == "local":
        return False
    look_at(found)
    return True


def private_runs(name: str | None = None) -> list[KnownRun]:
    """Live runs on private clusters that this user started on this machine.

    Args:
        name: Only runs of this job.
    """
    return [run for run in registry.known() if run.lives and name in {None, run.job}]


class RemoteJob:
    """Asks the coordinator of one run of a job.

    Args:
        name: Name of the job.
        coordinator: Its actor.
        address: Address of the cluster, for a process that has since left it.
    """

    def __init__(self, name: str, coordinator: Any, address: str | None = None) -> None:
        self.name = name
        self._coordinator = coordinator
        self._address = address

    @classmethod
    def find(cls, name: str, address: str | None = None) -> Asked | None:
        """The job of this name, even if it has ended; None: there is no such job, or no cluster."""
        mine = supervised.job_of(name)
        if mine is not None and address is None:
            return mine
        if connect_if_there_is_one(address):
            coordinator = entry.find(name)
            if coordinator is not None:
                return cls(name, coordinator, address)
        for run in private_runs(name) if address is None else ():
            if look_at_private(run.address) and (found := entry.find(name)) is not None:
                return cls(name, found, run.address)
        return None

    def ask(self, method: str, *arguments: Any, patience: float = PATIENCE_S) -> Any:
        """See `asked.Asked.ask`."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return self._answer(self._method(method).remote(*arguments))
            except _errors.RayTaskError as error:
                raise _told(error, self.name) from None
            except _errors.ActorDiedError:
                raise self._gone() from None
            except _errors.RayActorError:  # it is being restarted
                if time.monotonic() > deadline:
                    raise self._gone() from None
            time.sleep(LOOK_S)

    def _answer(self, ref: Any) -> Any:
        """Wait in steps, since `ray.get` may not notice an interrupt."""
        while not ray.wait([ref], timeout=LOOK_S)[0]:
            pass
        return completed(_get(ref))

    def _method(self, name: str) -> Any:
        found = getattr(self._actor(), name, None)
        if found is None:
            what = f"job {self.name} runs another version of raystream, without {name}"
            raise RaystreamError(
                what, what_to_do="stop it where it was started, and start it again"
            )
        return found

    def _actor(self) -> Any:
        """The actor handle; a new one if this process has left the cluster since."""
        if not ray.is_initialized():
            found = RemoteJob.find(self.name, self._address)
            if not isinstance(found, RemoteJob):
                raise self._gone()
            self._coordinator = found._coordinator
        return self._coordinator

    def _gone(self) -> Gone:
        what = f"this run of job {self.name} is gone from the Ray cluster"
        return Gone(what, what_to_do=f"rs.job({self.name!r}) finds a newer one; its log is kept")


def _told(error: Any, job: str) -> RaystreamError:
    """The exception of a method, without Ray's frames."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, RaystreamError):
        return cause
    return RaystreamError(f"{type(cause).__name__}: {cause}", f"job {job}")


def find_job(name: str, address: str | None = None) -> Asked:
    """The job of this name.

    Raises:
        ConfigurationError: no cluster, or no such job; names the existing ones.
    """
    found = RemoteJob.find(name, address)
    if found is not None:
        return found
    alone = {run.job for run in private_runs()} if address is None else set()
    if not connect_if_there_is_one(address) and not alone:
        what = f"no job {name!r}: there is no Ray cluster here"
        raise ConfigurationError(what, what_to_do=NO_CLUSTER)
    known = sorted({*(entry.names() if ray.is_initialized() else ()), *alone})
    near = did_you_mean(name, known) if known else ""
    meant = f"; {near}" if near.startswith("did") else ""
    where = f"on the Ray cluster at {_here()}" if ray.is_initialized() else "here"
    what = f"no job {name!r} runs {where}"
    raise ConfigurationError(what, what_to_do=f"running: {', '.join(known) or 'none'}{meant}")


def _here() -> str:
    return str(ray.get_runtime_context().gcs_address)


def all_jobs(address: str | None = None) -> list[Asked]:
    """Every job of the cluster and of this process, including ended ones."""
    there = connect_if_there_is_one(address)
    found = {name: RemoteJob.find(name, address) for name in (entry.names() if there else ())}
    mine: dict[str, Asked | None] = {job.name: job for job in supervised.jobs()}
    every = {**found, **(mine if address is None else {})}
    return [job for _, job in sorted(every.items()) if job is not None]
