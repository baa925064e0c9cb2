"""Background jobs of this process, each on a private Ray that is kept alive.

A notebook connected to a private Ray dies with its raylet. So it stays unconnected: a thread keeps
a driver working, as a foreground run does, and questions go through it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from raystream.errors import RaystreamError
from raystream.job.outcome import Outcome
from raystream.job.spec import JobSpec
from raystream.job.stop_kind import StopKind
from raystream.observe.status import StatusDocument
from raystream.runtime.ray import driver_messages as messages
from raystream.runtime.ray.asked import LOOK_S, PATIENCE_S, Gone
from raystream.runtime.ray.foreground import Foreground
from raystream.runtime.ray.questions import Unanswered
from raystream.storage.savepoints import refuse_unfit

_jobs: dict[str, SupervisedJob] = {}


def job_of(name: str) -> SupervisedJob | None:
    """The newest job of this name that was started here, even if it has ended."""
    return _jobs.get(name)


def jobs() -> list[SupervisedJob]:
    """Every job that was started here."""
    return [_jobs[name] for name in sorted(_jobs)]


class SupervisedJob:
    """One run of a job; for callers the same as `RemoteJob`.

    Args:
        name: Name of the job.
        say: Receives lines for the person who started it.
    """

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self.name = name
        self._runtime = Foreground(name, "local", say)
        self._fingerprint = ""
        self._status: StatusDocument | None = None
        self._outcome: Outcome | None = None
        self._over = threading.Event()

    def attach(self) -> int:
        """Wait until its Ray runs; returns the number of its CPUs.

        Raises:
            RaystreamError: it does not start.
        """
        try:
            self._runtime.attach()
        except BaseException:
            self.close()
            raise
        return self._runtime.cpus

    def close(self) -> None:
        """Shut down its Ray."""
        self._runtime.close()

    def start(self, job: JobSpec) -> None:
        """Start it; returns once its coordinator is launched.

        Raises:
            ConfigurationError: it cannot run as specified.
        """
        self._fingerprint = job.fingerprint
        refused: list[Exception] = []
        run = threading.Thread(
            target=self._run, args=(job, refused), name="raystream-supervisor", daemon=True
        )
        run.start()
        while not self._over.is_set() and not self._runtime.launched.wait(LOOK_S):
            pass
        if refused:
            raise refused[0]
        _jobs[self.name] = self

    def _run(self, job: JobSpec, refused: list[Exception]) -> None:
        try:
            self._outcome = self._runtime.run(job, self._note)
        except Exception as error:  # noqa: BLE001 - any error ends the run
            refused.append(error)
            self._outcome = Outcome("failed", str(error))
        finally:
            self._over.set()
            self.close()

    def _note(self, status: StatusDocument) -> None:
        self._status = status

    def ask(self, method: str, *arguments: Any, patience: float = PATIENCE_S) -> Any:
        """See `asked.Asked.ask`; what this process knows is answered at once."""
        match method:
            case "outcome":
                return self._outcome
            case "fingerprint":
                return self._fingerprint
            case "status":
                return self._now()
            case "ended":
                self._over.wait(*arguments)
                return self._outcome
            case "stop":
                return self._stop(*arguments)
        return self._passed_on(method, arguments, patience)

    def _now(self) -> StatusDocument | None:
        """Status from the coordinator, or the last one while another Ray is being started."""
        with contextlib.suppress(Unanswered):
            self._status = self._runtime.questions.ask("status", ()) or self._status
            return self._status
        if self._status is None or self._over.is_set():
            return self._status
        return replace(self._status, state="recovering")

    def _stop(self, kind: StopKind, savepoint: str | None = None, by: str = "") -> None:
        refuse_unfit(savepoint)
        self._runtime.stop(messages.Stop(kind, savepoint, by))

    def _passed_on(self, method: str, arguments: tuple[Any, ...], patience: float) -> Any:
        deadline = time.monotonic() + patience
        while not self._over.is_set():
            try:
                return self._runtime.questions.ask(method, arguments)
            except Unanswered:
                if time.monotonic() > deadline:
                    what = f"job {self.name}: no Ray runs for it at the moment"
                    raise RaystreamError(what, what_to_do="ask again later") from None
            self._over.wait(LOOK_S)
        what = f"job {self.name} has ended"
        raise Gone(what)
