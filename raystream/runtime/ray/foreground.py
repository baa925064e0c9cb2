"""A foreground run: keeps a driver working, and starts another one when Ray dies.

We keep a private Ray alive: if any part of it dies, all of it is killed and another started, and
the job continues from its last checkpoint. A standing cluster belongs to others: when it is lost,
so is the run. This process does not import Ray, so Ray can neither end it nor print to its
terminal.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from raystream.errors import RaystreamError
from raystream.job.outcome import AT_ONCE, Outcome
from raystream.job.stop_kind import StopKind
from raystream.runtime import registry
from raystream.runtime.ray import driver_messages as messages
from raystream.runtime.ray.driver_log import log_of, new_log
from raystream.runtime.ray.driver_process import DriverProcess
from raystream.runtime.ray.questions import Questions
from raystream.runtime.signals import interrupted_by_sigterm, stop_on_signals

if TYPE_CHECKING:
    from raystream.job.spec import JobSpec
    from raystream.observe.status import StatusDocument

_LOOK = 0.2
_START_SECONDS = 120.0
_WORD_SECONDS = 1.5
_NEXT_WORD_SECONDS = 10.0
_SILENT_SECONDS = 12.0
"""How long a driver that has reported on a job may be silent, seconds."""

_HURRIED_SECONDS = 3.0
"""The same limit if the end of the job has been requested, seconds."""

_LEAVE_SECONDS = 2.0
_CANCEL_SECONDS = 20.0
"""Limit of a cancel, seconds: longer than those of the coordinator and its driver."""

_MOST_DEATHS = 5
_DEATHS_AT_START = 1
_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)

OnStatus = Callable[["StatusDocument"], None]


class Runtime(Protocol):
    """Interface of a runtime that can run a planned job."""

    @property
    def cpus(self) -> int:
        """Its CPUs."""
        ...

    def run(self, job: JobSpec, on_status: OnStatus | None) -> Outcome:
        """Run a job to its end."""
        ...

    def ask(self, method: str, *arguments: Any) -> Any:
        """Ask the running job, from another thread; see `asked.Asked.ask`.

        Args:
            method: stop, savepoint, tail.
            arguments: Those of the coordinator's method.
        """
        ...


@contextmanager
def foreground(
    job: str,
    address: str | None,
    say: Callable[[str], None],
    meanwhile: Callable[[], None] = lambda: None,
    driver: DriverProcess | None = None,
) -> Iterator[Runtime]:
    """Connect to Ray for one run; a process that is already connected uses its connection.

    Args:
        job: Name of the job.
        address: As given by the user; see `cluster.attached`.
        say: Receives lines for the person who started the run.
        meanwhile: Called while Ray starts; an exception of it ends the start.
        driver: Started before, see `early_driver`.

    Raises:
        ConfigurationError: no cluster at this address, or it refuses the connection.
        RaystreamError: a private Ray does not start.
    """
    if _is_connected():
        from raystream.runtime.ray.connected import Connected

        meanwhile()
        yield Connected(address)
        return
    runtime = Foreground(job, address, say, driver)
    try:
        with interrupted_by_sigterm():
            meanwhile()
            runtime.attach()
            yield runtime
    finally:
        runtime.close()


@contextmanager
def early_driver(job: str) -> Iterator[DriverProcess | None]:
    """Start the driver of a run: it imports Ray while the job is planned, and touches no cluster.

    None: this process is connected to Ray, so the run has no driver.

    Args:
        job: Name of the job.
    """
    if _is_connected():
        yield None
        return
    with new_log(job) as log:
        driver = DriverProcess(log)
        try:
            yield driver
        finally:
            driver.end()


def _is_connected() -> bool:
    ray = sys.modules.get("ray")
    return ray is not None and bool(getattr(ray, "is_initialized", bool)())


class Foreground:
    """Keeps a driver working for one run.

    Args:
        job: Name of the job.
        address: See `foreground`.
        say: See `foreground`.
        driver: See `foreground`.

    Attributes:
        launched: A driver watches the job, and passes on questions.
        questions: Questions to the coordinator, from any thread.
    """

    def __init__(
        self,
        job: str,
        address: str | None,
        say: Callable[[str], None],
        driver: DriverProcess | None = None,
    ) -> None:
        self._job = job
        self._address = address
        self._say = say
        self._driver = driver or DriverProcess(new_log(job))
        self._log = self._driver.log
        self._driver.send(messages.Attach(address))
        self._attached: messages.Attached | None = None
        self._order = messages.Stop()
        self._stop = False
        self._now = False
        self._kill = False
        self.launched = threading.Event()
        self.questions = Questions()
        self._checkpoint = -1
        self._deaths = 0

    @property
    def cpus(self) -> int:
        """CPUs of the cluster."""
        assert self._attached is not None
        return self._attached.cpus

    def attach(self) -> None:
        """Wait until the driver is connected.

        Raises:
            ConfigurationError: no cluster at the address.
            RaystreamError: a private Ray does not start.
        """
        began = time.monotonic()
        next_word = began + _WORD_SECONDS
        deaths = 0
        while (now := time.monotonic()) < began + _START_SECONDS:
            answer = self._driver.receive(_LOOK)
            if answer is not None and deaths < _DEATHS_AT_START and self._is_chance(answer):
                deaths += 1
                self._driver.end()
                self._replace_driver()
            elif answer is not None:
                self._take(answer)
                return
            if now >= next_word:
                self._say(self._waiting(now - began))
                next_word = now + _NEXT_WORD_SECONDS
        silence = f"it gave no answer in {_START_SECONDS:.0f} s"
        raise self._not_started(silence)

    def _replace_driver(self) -> None:
        self._driver = DriverProcess(self._log)
        self._driver.send(messages.Attach(self._address))

    def _is_chance(self, answer: messages.FromDriver) -> bool:
        """Whether a part of a private Ray died while it started: then another one is started."""
        match answer:
            case messages.NotStarted(_, again):
                return again
            case messages.Lost():
                return (self._address or os.environ.get("RAY_ADDRESS")) in {None, "local"}
        return False

    def _waiting(self, seconds: float) -> str:
        """Progress message of the start: a private Ray takes 5 to 10 s, more on a busy machine."""
        where = self._address or os.environ.get("RAY_ADDRESS")
        private = where in {None, "local"}
        what = "starting Ray" if private else f"joining the Ray cluster at {where}"
        return f"{what}, {seconds:.0f} s; its own words are in {log_of(self._job)}"

    def _take(self, answer: messages.FromDriver) -> None:
        match answer:
            case messages.Attached():
                self._attached = answer
            case messages.Refused(error):
                raise error
            case messages.NotStarted(reason):
                raise self._not_started(reason)
            case _:
                death = "its driver died"
                raise self._not_started(death)

    def _not_started(self, reason: str) -> RaystreamError:
        return RaystreamError(f"Ray did not start: {reason}", what_to_do=f"see {log_of(self._job)}")

    def run(self, job: JobSpec, on_status: OnStatus | None) -> Outcome:
        """Run a job to its end, whatever part of a private Ray dies meanwhile.

        Raises:
            ConfigurationError: the job already runs there, or its storage is not shared.
        """
        # loads Polars, and the driver is to start before that
        from raystream.runtime.ray.serialization import environment_of_job, pack_job

        launch = messages.Launch(
            job.name, job.checkpoint.storage, pack_job(job), environment_of_job()
        )
        with stop_on_signals(self._note_stop, self._note_now):
            while True:
                self._note(job.checkpoint.storage)
                end = self._drive(launch, on_status or (lambda status: None))
                if isinstance(end, Outcome):
                    return end
                over = self._after(end)
                if over is not None:
                    return over

    def _note(self, storage: str) -> None:
        """Record the run, so that another terminal of this user finds it."""
        assert self._attached is not None
        address = self._attached.address if self._attached.private else ""
        registry.note(self._job, storage, address)

    def close(self) -> None:
        """End the driver, and a private Ray with it."""
        private = self._attached is None or self._attached.private
        registry.over(self._job)
        self._driver.end(0.0 if private else _LEAVE_SECONDS)
        self._log.close()

    def stop(self, order: messages.Stop) -> None:
        """End the job, from any thread; returns at once."""
        self._order = order
        if order.kind is StopKind.CANCEL:
            self._now = True
        else:
            self._stop = True

    def ask(self, method: str, *arguments: Any) -> Any:
        """See `Runtime.ask`.

        Raises:
            Unanswered: no Ray runs for the job at the moment.
        """
        if method == "stop":
            self.stop(messages.Stop(*arguments))
            return None
        return self.questions.ask(method, arguments)

    def _note_stop(self) -> None:
        self._stop = True

    def _note_now(self) -> None:
        """Second request: cancel. Third: kill."""
        self._kill = self._now
        self._now = True

    # -- one driver ----------------------------------------------------------------------------

    def _drive(self, launch: messages.Launch, on_status: OnStatus) -> Outcome | messages.Lost:
        try:
            return self._watch_driver(launch, on_status)
        finally:
            self.launched.clear()
            self.questions.end()

    def _watch_driver(
        self, launch: messages.Launch, on_status: OnStatus
    ) -> Outcome | messages.Lost:
        driver, asked, cancelled = self._driver, False, 0.0
        driver.send(launch)
        patience, heard = _START_SECONDS, time.monotonic()
        while not self._kill:
            if self._stop and not asked:
                asked = True
                driver.send(self._order)
            if self._now and not cancelled:
                cancelled = time.monotonic() + _CANCEL_SECONDS
                driver.send(messages.Stop(StopKind.CANCEL, by=self._order.by))
            if cancelled and time.monotonic() > cancelled:
                return AT_ONCE
            answer = driver.receive(_LOOK)
            if answer is None:
                hurry = asked and patience == _SILENT_SECONDS
                if time.monotonic() - heard > (_HURRIED_SECONDS if hurry else patience):
                    return messages.Lost("its driver does not answer")
                continue
            heard, patience = time.monotonic(), _SILENT_SECONDS
            self._note_launched(driver, answer)
            match answer:
                case messages.Answer():
                    self.questions.answer(answer)
                case messages.Told(status):
                    self._progress(status)
                    on_status(status)
                case messages.Ended(outcome):
                    return outcome
                case messages.Refused(error):
                    raise error
                case messages.Lost():
                    return answer
        return AT_ONCE

    def _note_launched(self, driver: DriverProcess, word: messages.FromDriver) -> None:
        if isinstance(word, messages.Alive | messages.Told) and not self.launched.is_set():
            self.questions.begin(driver.send)
            self.launched.set()

    def _progress(self, status: StatusDocument) -> None:
        """Reset the count of deaths at each new checkpoint: the job makes progress."""
        number = status.checkpoint.number or 0
        if number > self._checkpoint:
            self._deaths = 0 if self._checkpoint >= 0 else self._deaths
            self._checkpoint = number

    # -- after its death -----------------------------------------------------------------------

    def _after(self, lost: messages.Lost) -> Outcome | None:
        """Return the outcome if the run is over, else start another Ray."""
        assert self._attached is not None
        if not self._attached.private:
            what = f"the Ray cluster at {self._attached.address} is lost: {lost.what}"
            return Outcome("failed", f"{what}; run it again: it continues from its last checkpoint")
        if self._now:
            return AT_ONCE
        if self._stop:
            return self._stopped()
        self._say(
            f"Ray died ({lost.what}); another is started, and the job continues from its "
            f"last checkpoint"
        )
        return self._restart()

    def _restart(self) -> Outcome | None:
        self._driver.end()
        while not (self._stop or self._now):
            self._deaths += 1
            if self._deaths > _MOST_DEATHS:
                what = f"Ray died {_MOST_DEATHS} times without a checkpoint in between"
                return Outcome("failed", f"{what}; see {log_of(self._job)}")
            self._pause(_PAUSES[min(self._deaths, len(_PAUSES)) - 1])
            self._replace_driver()
            if self._is_attached():
                return None
            self._driver.end()
        return AT_ONCE if self._now else self._stopped()

    def _is_attached(self) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and not (self._stop or self._now):
            answer = self._driver.receive(_LOOK)
            if isinstance(answer, messages.Attached):
                self._attached = answer  # its address is another one
                return True
            if answer is not None:
                return False
        return False

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (self._stop or self._now):
            time.sleep(_LOOK)

    @staticmethod
    def _stopped() -> Outcome:
        what = "Ray died before a last commit; the next run continues from the last checkpoint"
        return Outcome("failed", what)
