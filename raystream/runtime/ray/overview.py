"""Every job of a cluster at one glance; one that is silent delays nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ray

from raystream.errors import ConfigurationError
from raystream.observe.status import StatusDocument
from raystream.runtime.ray.entry import find, names
from raystream.runtime.ray.remote_job import connect_if_there_is_one

ANSWER_S = 3.0

_get: Any = ray.get
_wait: Any = ray.wait


def statuses(address: str | None) -> list[StatusDocument]:
    """The newest status of every job, by name; state `silent` for one that does not answer.

    Args:
        address: Of the cluster. Default: RAY_ADDRESS, else a head on this machine.

    Raises:
        ConfigurationError: there is no cluster.
    """
    if not connect_if_there_is_one(address):
        what = "there is no Ray cluster here"
        raise ConfigurationError(what, what_to_do="name its address, or set RAY_ADDRESS")
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
        told = _get(status, timeout=0) or StatusDocument(name, "recovering")
        ended = _get(outcome, timeout=0)
    except ray.exceptions.RayError:  # it is frozen, or being restarted
        return StatusDocument(name, "silent")
    if ended is None:
        return told
    return replace(told, state="ended", outcome=ended.kind, message=ended.message)
