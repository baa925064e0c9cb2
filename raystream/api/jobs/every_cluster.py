"""The jobs of a Ray cluster and of this user's private ones, for the page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Any

from raystream.api.jobs.cluster_jobs import how_it_ended
from raystream.api.jobs.endings import Endings
from raystream.api.jobs.viewer import Viewer
from raystream.errors import ConfigurationError, RaystreamError
from raystream.observe.history import Point
from raystream.observe.status import StatusDocument

FIRST_S = 15.0
"""How long the very first answer is waited for, seconds: to connect takes some."""

LATE_S = 1.0
"""How long a cluster may hold up the others; what it said before is told meanwhile."""


class EveryCluster:
    """Asks each cluster through a process of its own, so that none waits for another.

    Args:
        address: Of the cluster. Default: RAY_ADDRESS, else a head on this machine, and every
            private one of this user's runs on this machine.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._clusters: dict[str, _Cluster] = {}
        self._owners: dict[str, _Cluster] = {}
        self._endings = Endings()
        self._closed = False

    def statuses(self) -> Sequence[StatusDocument]:
        """See `Jobs.statuses`."""
        clusters = [] if self._closed else self._wanted()
        if not clusters:
            return self._none()
        asked = [cluster.asked() for cluster in clusters]
        known = any(cluster.last is not None for cluster in clusters)
        wait(asked, LATE_S if known else FIRST_S)
        failures = [error for cluster in clusters if (error := cluster.take()) is not None]
        found = [(each, cluster) for cluster in clusters for each in cluster.last or ()]
        if failures and not found:
            return self._none(failures[0])
        self._owners = {each.job: cluster for each, cluster in reversed(found)}
        return self._with_ended([each for each, _ in found])

    def _none(self, why: RaystreamError | None = None) -> list[StatusDocument]:
        """Jobs that have ended, where no other is: a private Ray ends with its job."""
        from raystream.runtime.ray.remote_job import NO_CLUSTER

        self._owners = {}
        ended = self._with_ended([])
        if not ended:
            what = "there is no Ray cluster here"
            raise why or ConfigurationError(what, what_to_do=NO_CLUSTER)
        return ended

    def _with_ended(self, found: list[StatusDocument]) -> list[StatusDocument]:
        return found + self._endings.of_missing(found)

    def history(self, job: str) -> Sequence[Point]:
        """See `Jobs.history`."""
        found: Sequence[Point] = self._ask(job, "history", job)
        return found

    def rows(self, job: str, step: str, marks: Any) -> tuple[list[dict[str, Any]], Any]:
        """See `Jobs.rows`."""
        found: tuple[list[dict[str, Any]], Any] = self._ask(job, "rows", job, step, marks)
        return found

    def act(self, job: str, order: str) -> str:
        """See `Jobs.act`; a private Ray may be gone with its job before it has answered."""
        try:
            return str(self._ask(job, "act", job, order))
        except RaystreamError:
            end = self._endings.soon_of(job) if order != "savepoint" else None
            if end is None:
                raise
            return how_it_ended(str(end.outcome), end.message, end.rows_read, end.rows_written)

    def close(self) -> None:
        """End the processes; who waits for one gets an error, and none is made any more."""
        self._closed = True
        for cluster in list(self._clusters.values()):
            cluster.viewer.close()

    def _ask(self, job: str, method: str, *arguments: Any) -> Any:
        cluster = self._owners.get(job)
        if cluster is None:
            what = f"no job {job!r} runs here"
            raise ConfigurationError(what)
        return cluster.viewer.ask(method, *arguments).result()

    def _wanted(self) -> list[_Cluster]:
        """The standing cluster first; processes of clusters that are gone are ended."""
        from raystream.runtime.ray.cluster import started_head
        from raystream.runtime.ray.remote_job import private_runs

        standing = self._address or os.environ.get("RAY_ADDRESS") or started_head()
        wanted = {standing: False} if standing and standing != "local" else {}
        if self._address is None:
            wanted |= {run.address: True for run in private_runs() if run.address not in wanted}
        for address in [a for a, c in self._clusters.items() if a not in wanted or c.viewer.ended]:
            self._clusters.pop(address).viewer.close()
        for address, private in wanted.items():
            if address not in self._clusters:
                self._clusters[address] = _Cluster(Viewer(address, private=private))
        return [self._clusters[address] for address in wanted]


class _Cluster:
    """One cluster, and what it said last.

    Args:
        viewer: Asks it.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.last: Sequence[StatusDocument] | None = None
        self._open: Future[Any] | None = None

    def asked(self) -> Future[Any]:
        """The question for the statuses, asked again once it was answered."""
        if self._open is None:
            self._open = self.viewer.ask("statuses")
        return self._open

    def take(self) -> RaystreamError | None:
        """Note the answer if it is there; returns why there is none."""
        if self._open is None or not self._open.done():
            return None
        answered, self._open = self._open, None
        error = answered.exception()
        if error is None:
            self.last = answered.result()
            return None
        self.last = ()
        return error if isinstance(error, RaystreamError) else RaystreamError(str(error))
