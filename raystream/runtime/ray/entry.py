"""Entry point: find a cluster, start the coordinator, watch it, stop it on a signal."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import ray

from raystream.errors import ConfigurationError
from raystream.job.outcome import AT_ONCE, Outcome
from raystream.job.stop_kind import StopKind
from raystream.runtime.ray.cluster import attached, connect, nodes
from raystream.runtime.ray.coordinator import actor_options, of_job
from raystream.runtime.ray.guard import NAMESPACE
from raystream.runtime.ray.shared_storage import check_shared
from raystream.runtime.signals import stop_on_signals

if TYPE_CHECKING:
    from raystream.job.spec import JobSpec
    from raystream.observe.status import StatusDocument

_LOOK = 0.2
SIGNALLED = "a signal (Ctrl-C, SIGTERM or SIGHUP) where it was started"
"""Who requested the end."""

CANCEL_SECONDS = 15.0
"""Limit of a cancel to abort open transactions, seconds; the coordinator's own limit is 10 s."""

_STATUS_SECONDS = 0.5
_ANSWER_SECONDS = 5.0
_FROZEN_SECONDS = 10.0
"""A coordinator that has answered before and is silent for this long is frozen, seconds."""

_START_SECONDS = 120.0
"""The same limit if it has not answered yet: its process may still be starting."""

_remote: Any = ray.remote
_get: Any = ray.get
_list_named_actors: Any = ray.util.list_named_actors

OnStatus = Callable[["StatusDocument"], None]


def run(
    job: JobSpec,
    address: str | None = None,
    on_status: OnStatus | None = None,
    *,
    detached: bool = False,
    points: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a job on Ray. Blocks to its end; if detached, only until the coordinator has started.

    Ctrl-C or SIGTERM ends the job after a last commit; the second one cancels it. When this process
    dies, an attached job ends; the same call continues from its last checkpoint.

    Args:
        job: The planned job.
        address: Address of the Ray cluster; see `cluster.attached`.
        on_status: Called with each new status document.
        detached: The job outlives this process.
        points: Environment for named points, for tests; None: this process's own.

    Raises:
        ConfigurationError: no cluster, the job already runs there, or its storage is not shared.
    """
    with attached(address) as private:
        if detached and private:
            what = "a detached job would end with the private Ray cluster of this process"
            raise ConfigurationError(what, what_to_do="start Ray with `ray start --head` first")
        coordinator = _launch(job, points, detached=detached, alone=detached)
        if detached:
            return Outcome("submitted", f"{job.name} runs on the cluster")
        return Watch(coordinator, on_status).to_the_end()


def submit(job: JobSpec, address: str | None = None) -> Any:
    """Start a job and return at once; this process stays connected to the cluster.

    On a standing cluster the job outlives this process. A private cluster, which is started if
    there is no other, lives as long as this process, and so does the job.

    Args:
        job: The planned job.
        address: Address of the Ray cluster; see `cluster.attached`.

    Returns:
        The coordinator's actor, as returned by `find`.

    Raises:
        ConfigurationError: no cluster, the job already runs there, or its storage is not shared.
    """
    private = connect(address)
    coordinator = _launch(job, None, detached=not private, alone=True)
    if private:
        _owned[job.name] = coordinator  # without a handle Ray would end it
    return coordinator


_owned: dict[str, Any] = {}
"""Coordinators on the private cluster of this process."""


def _launch(job: JobSpec, points: Mapping[str, str] | None, *, detached: bool, alone: bool) -> Any:
    # loads Polars: a driver gets the job packed
    from raystream.runtime.ray.serialization import environment_of_job, pack_job

    packed = pack_job(job if job.run else replace(job, run=token_hex(8)))
    environment = environment_of_job(points)
    return launch_packed(
        job.name, job.checkpoint.storage, packed, environment, detached=detached, alone=alone
    )


def launch_packed(
    job: str,
    storage: str,
    packed: bytes,
    environment: Mapping[str, str],
    *,
    detached: bool = False,
    alone: bool = False,
) -> Any:
    """Start the coordinator of a packed job.

    Args:
        job: Its name.
        storage: Address of its checkpoints.
        packed: The job.
        environment: See `serialization.environment_of_job`.
        detached: The job outlives this process.
        alone: No process waits for its end: the coordinator then exits by itself.

    Raises:
        ConfigurationError: a job of this name runs on the cluster, or its storage is not shared.
    """
    check_shared(storage, nodes())
    return launch(job, packed, environment, detached=detached, alone=alone)


def launch(
    job: str, packed: bytes, points: Mapping[str, str], *, detached: bool, alone: bool = False
) -> Any:
    """Start the coordinator's actor.

    Raises:
        ConfigurationError: a job of this name runs on the cluster.
    """
    _clear_ended(job)
    make = _remote(**actor_options(job, detached=detached))(of_job(packed, alone=alone))
    driver = f"{socket.gethostname()}, process {os.getpid()}"
    try:
        return make.remote(driver, dict(points))
    except ValueError as error:  # ActorAlreadyExistsError is one
        raise _runs_already(job) from error


def find(job: str) -> Any | None:
    """The coordinator of the job of this name on the connected cluster, or None."""
    try:
        return ray.get_actor(job, namespace=NAMESPACE)
    except ValueError:
        return None


def names() -> list[str]:
    """Jobs that have a coordinator on the connected cluster, including ended ones, sorted."""
    actors = _list_named_actors(all_namespaces=True)
    return sorted(actor["name"] for actor in actors if actor["namespace"] == NAMESPACE)


def _clear_ended(job: str) -> None:
    """Free the name of a job that has ended, even if its outcome was never fetched."""
    other = find(job)
    if other is None:
        return
    try:
        over = _get(other.outcome.remote(), timeout=_ANSWER_SECONDS) is not None
    except ray.exceptions.RayActorError:
        over = False  # being restarted, or exiting
    except ray.exceptions.GetTimeoutError:
        over = False
    if not over:
        raise _runs_already(job)
    ray.kill(other, no_restart=True)
    _wait_until_gone(job)


def _wait_until_gone(job: str) -> None:
    deadline = time.monotonic() + _ANSWER_SECONDS
    while find(job) is not None and time.monotonic() < deadline:
        time.sleep(0.02)


def _runs_already(job: str) -> ConfigurationError:
    other, driver = find(job), ""
    if other is not None:
        try:
            driver = str(_get(other.driver.remote(), timeout=_ANSWER_SECONDS))
        except ray.exceptions.RayError:
            driver = "an unknown process"
    what = f"job {job} runs on this Ray cluster already, started by {driver or 'another process'}"
    return ConfigurationError(what, what_to_do="stop that one first, or give this one another name")


class CoordinatorGone(Exception):  # noqa: N818 - a fact
    """The coordinator ended without an outcome, and Ray does not restart it."""


@dataclass(slots=True)
class Signals:
    """Requests noted by the signal handlers; the watching loop acts on them."""

    stop: bool = False
    now: bool = False
    kind: StopKind = StopKind.STOP
    savepoint: str | None = None
    by: str = SIGNALLED

    def ask(self, kind: StopKind, savepoint: str | None, by: str) -> None:
        """Note a request other than a signal; see `Coordinator.stop`."""
        self.by = by or SIGNALLED
        if kind is StopKind.CANCEL:
            self.now = True
        else:
            self.kind, self.savepoint, self.stop = kind, savepoint, True


class Watch:
    """The driver's view of a job: status, signals, and the end.

    Args:
        coordinator: Its actor.
        on_status: Called with each new status document.
        signals: Requests noted meanwhile.
        alive: Called at each check.
    """

    def __init__(
        self,
        coordinator: Any,
        on_status: OnStatus | None,
        signals: Signals | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._coordinator = coordinator
        self._on_status = on_status
        self._signals = signals or Signals()
        self._alive = alive
        self._asked = False
        self._cancel_until: float | None = None
        self._status_ref: Any = None
        self._status_at = 0.0
        self._asked_at = 0.0
        self._patience = _START_SECONDS
        self._uptime = 0.0

    def to_the_end(self) -> Outcome:
        """Wait for the end of the job; signals to this process stop it."""
        try:
            with stop_on_signals(self._note_stop, self._note_now):
                return self.outcome()
        except CoordinatorGone as gone:
            return Outcome("failed", f"the coordinator is gone: {gone}")

    def outcome(self) -> Outcome:
        """Wait for the end of the job.

        Raises:
            CoordinatorGone: the outcome is unknown.
        """
        end = self._coordinator.wait.remote()
        try:
            while not ray.wait([end], timeout=_LOOK)[0]:
                if self._signals.now and self._is_cancelled():
                    return AT_ONCE
                self._alive()
                self._ask_to_stop()
                self._show_status()
            return self._outcome(end)
        finally:
            ray.kill(self._coordinator, no_restart=True)

    def _note_stop(self) -> None:
        self._signals.stop = True

    def _note_now(self) -> None:
        self._signals.now = True

    def _is_cancelled(self) -> bool:
        """Request a cancel once; True when the coordinator has had its time to answer."""
        now = time.monotonic()
        if self._cancel_until is None:
            self._cancel_until = now + CANCEL_SECONDS
            self._coordinator.stop.remote(StopKind.CANCEL, None, self._signals.by)
        return now > self._cancel_until

    def _ask_to_stop(self) -> None:
        if self._signals.stop and not self._asked:
            self._asked = True
            asked = self._signals
            self._coordinator.stop.remote(asked.kind, asked.savepoint, asked.by)

    def _show_status(self) -> None:
        """Show the newest status without waiting: read the last answer when the next is due."""
        now = time.monotonic()
        if now < self._status_at:
            return
        self._status_at = now + _STATUS_SECONDS
        if self._status_ref is not None:
            if not ray.wait([self._status_ref], timeout=0)[0]:
                self._replace_if_frozen(now)
                return
            self._hand_on(self._status_ref)
        self._asked_at = now
        self._status_ref = self._coordinator.status.remote()

    def _replace_if_frozen(self, now: float) -> None:
        """Kill a frozen coordinator, which only the driver notices; Ray's next one recovers."""
        if now - self._asked_at > self._patience:
            ray.kill(self._coordinator, no_restart=False)
            self._status_ref, self._patience = None, _START_SECONDS

    def _hand_on(self, ref: Any) -> None:
        try:
            status = _get(ref)
        except ray.exceptions.RayError:
            return  # the coordinator is being restarted
        self._patience = _FROZEN_SECONDS
        if status is not None:
            self._asked = self._asked and status.uptime_s >= self._uptime  # else: another one
            self._uptime = status.uptime_s
        if status is not None and self._on_status is not None:
            self._on_status(status)

    def _outcome(self, end: Any) -> Outcome:
        if self._on_status is not None:
            self._hand_on(self._coordinator.status.remote())
        try:
            outcome: Outcome = _get(end)
        except ray.exceptions.RayError as error:
            raise CoordinatorGone(type(error).__name__) from None
        return outcome
