"""Overview of all jobs of a cluster; a silent one does not delay the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import ray

from raystream.errors import ConfigurationError
from raystream.observe.older import completed
from raystream.observe.status import StatusDocument
from raystream.runtime.ray.cluster import look_at_private
from raystream.runtime.ray.entry import find, names
from raystream.runtime.ray.remote_job import NO_CLUSTER, connect_if_there_is_one, private_runs

ANSWER_S = 3.0
T = TypeVar("T")

_get: Any = ray.get
_wait: Any = ray.wait


Look = tuple[StatusDocument, StatusDocument]
"""Status of a job now, and a moment before."""


def looks(address: str | None, pause: float) -> list[Look]:
    """Status of every job, read twice if one runs; state `silent` for one that does not answer.

    First those of a standing cluster, then those of private ones that this user started on this
    machine.

    Args:
        address: Address of the cluster. Default: RAY_ADDRESS, else a head on this machine, and
            every private one.
        pause: Seconds between the two reads.

    Raises:
        ConfigurationError: there is no cluster.
    """
    return _of_every_cluster(address, lambda: _twice(pause))


def once(address: str | None) -> list[StatusDocument]:
    """Status of every job, read once; else as `looks`.

    Raises:
        ConfigurationError: there is no cluster.
    """
    return _of_every_cluster(address, statuses)


def _of_every_cluster(address: str | None, read: Callable[[], list[T]]) -> list[T]:
    alone = private_runs() if address is None else []
    standing = connect_if_there_is_one(address)
    if not standing and not alone:
        what = "there is no Ray cluster here"
        raise ConfigurationError(what, what_to_do=NO_CLUSTER)
    found = read() if standing else []
    for run in {run.address: run for run in alone}.values():
        found += read() if look_at_private(run.address) else []
    return found


def _twice(pause: float) -> list[Look]:
    before = {status.job: status for status in statuses()}
    if any(status.state == "running" for status in before.values()):
        time.sleep(pause)
        now = statuses()
    else:
        now = list(before.values())
    return [(status, before.get(status.job, status)) for status in now]


def statuses() -> list[StatusDocument]:
    """The newest status of every job of the connected cluster, sorted by name."""
    found = {name: find(name) for name in sorted(names())}
    asked = {
        name: (coordinator.status.remote(), coordinator.outcome.remote())
        for name, coordinator in found.items()
        if coordinator is not None
    }
    every = [ref for refs in asked.values() for ref in refs]
    if every:
        _wait(every, num_returns=len(every), timeout=ANSWER_S)
    return [_status(name, *refs) for name, refs in asked.items()]


def _status(name: str, status: Any, outcome: Any) -> StatusDocument:
    try:
        told = completed(_get(status, timeout=0)) or StatusDocument(name, "recovering")
        ended = _get(outcome, timeout=0)
    except ray.exceptions.RayError:  # it is frozen, or being restarted
        return StatusDocument(name, "silent")
    if ended is None:
        return told
    return told.ended(ended.kind, ended.message)
