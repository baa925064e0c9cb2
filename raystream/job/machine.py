"""JobMachine: hands each event to the job's state and carries out its change of state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from raystream.checkpoint.records import Checkpoint
from raystream.errors import ConfigurationError, JobFailed, OutputLost, StorageError, Superseded
from raystream.job.checkpoint_book import CheckpointBook
from raystream.job.facts import facts
from raystream.job.life import Life, RestoreStates, nothing_to_restore
from raystream.job.liveness import Liveness
from raystream.job.messages import (
    Acked,
    Connected,
    Died,
    Dry,
    JobCommand,
    JobEvent,
    Opened,
    Pong,
    ProcedureDone,
    ProcedureFailed,
    Publish,
    StopKind,
    StopRequested,
    Tick,
    Trigger,
)
from raystream.job.report import Report
from raystream.job.restart import RestartPolicy
from raystream.job.spec import JobSpec
from raystream.job.states.ended import Ended
from raystream.job.states.recovering import Recovering
from raystream.job.states.state import State, Step

PUBLISH_INTERVAL_S = 0.5

BACKGROUND = frozenset({"strays", "cleanup"})
FINAL = (OutputLost, JobFailed, ConfigurationError, StorageError)
"""What a restart does not cure: the job ends with this very message."""


class JobMachine:
    """The life of a job: events in, commands out; no clock, no thread, no I/O.

    Start and restart are one path: recovering -> deploying -> running. One procedure of the
    commit protocol at a time, and none is cut short. An event of another attempt than the one
    that is open is ignored.

    Args:
        spec: The job.
        store_id: First 8 hex digits of the uuid of its storage.
        nonce: Random text of this process.
        now: Monotonic seconds.
        new_key: Makes a random secret for the channels of an attempt.
        restore_states: What each subtask restores from a base (plan.restore).
        header: What a restore must know of this plan; goes into every checkpoint.
        savepoint: Content of the savepoint that the job starts from, if any.
    """

    def __init__(
        self,
        spec: JobSpec,
        store_id: str,
        nonce: str,
        now: float,
        *,
        new_key: Callable[[], bytes] = bytes,
        restore_states: RestoreStates = nothing_to_restore,
        header: Mapping[str, Any] | None = None,
        savepoint: Checkpoint | None = None,
    ) -> None:
        self.life = Life(
            spec=spec,
            store_id=store_id,
            nonce=nonce,
            now=now,
            report=_report(spec, now),
            liveness=Liveness(spec.liveness_timeout),
            policy=RestartPolicy(spec.restart),
            new_key=new_key,
            restore_states=restore_states,
            header=_with_run(spec, header or {}),
            savepoint=savepoint,
        )
        self.state: State = Recovering()
        self._published = float("-inf")

    def begin(self) -> list[JobCommand]:
        """The first commands; call it once, before the first event."""
        return self._go(self.state.enter(self.life), changed=True)

    def handle(self, event: JobEvent) -> list[JobCommand]:
        """Take one event; what is to be done about it, in order."""
        life = self.life
        if isinstance(event, Tick):
            life.now = event.now
            life.liveness.tick(event.now)
        if self.over or self._is_stale(event):
            return []
        if isinstance(event, ProcedureDone | ProcedureFailed):
            life.turns.ended()
        commands = self._dispatch(event)
        return commands if self.over else [*commands, *life.turns.next()]

    @property
    def over(self) -> bool:
        """True once End was ordered."""
        return isinstance(self.state, Ended) and self.state.over

    def _is_stale(self, event: JobEvent) -> bool:
        if isinstance(event, Opened | Connected | Acked | Dry | Died | Pong):
            return event.attempt != self.life.opened
        return False

    def _dispatch(self, event: JobEvent) -> list[JobCommand]:
        life = self.life
        match event:
            case ProcedureFailed(then, exception):
                end = self._end_of(then, exception)
                if end is not None:
                    return self._change(end)
                if then in BACKGROUND:  # it is tried again after the next checkpoint
                    return self._go(self.state.handle(life, ProcedureDone(then, life.strays)))
            case ProcedureDone(then) if then in BACKGROUND:
                life.background_done(event)
            case Pong(subtask, _, stats):
                life.liveness.pong(subtask, life.now)
                life.report.pong(subtask, stats)
            case StopRequested(kind):
                life.stop = stronger(life.stop, kind)
                if kind is StopKind.CANCEL and not isinstance(self.state, Ended):
                    return self._change(Ended("stopped", "cancelled"))
        return self._go(self.state.handle(life, event))

    def _end_of(self, then: str, exception: BaseException) -> Ended | None:
        """The end that this exception of a procedure means, if it means the end."""
        if isinstance(exception, Superseded):
            return Ended("superseded", str(exception))
        if then in BACKGROUND or isinstance(self.state, Ended):
            return None
        return Ended("failed", str(exception)) if isinstance(exception, FINAL) else None

    def _change(self, state: State) -> list[JobCommand]:
        return self._go((state, []))

    def _go(self, step: Step, *, changed: bool = False) -> list[JobCommand]:
        """Enter states until one stays, and publish what people should see."""
        state, commands = step
        while state is not self.state:
            self.state, changed = state, True
            state, more = state.enter(self.life)
            commands = [*commands, *more]
        changed = changed or any(isinstance(command, Trigger) for command in commands)
        return self._with_status(commands, changed=changed)

    def _with_status(self, commands: list[JobCommand], *, changed: bool) -> list[JobCommand]:
        now = self.life.now
        if not (changed or self.over or now - self._published >= PUBLISH_INTERVAL_S):
            return commands
        self._published = now
        end = self.state.kind if isinstance(self.state, Ended) and self.over else None
        status = self.life.report.status(self.state.name, self.life.attempt, now, end)
        if self.over:
            return [*commands[:-1], Publish(status), commands[-1]]
        return [*commands, Publish(status)]


def _report(spec: JobSpec, now: float) -> Report:
    book = CheckpointBook(spec.checkpoint.interval, spec.checkpoint.timeout)
    return Report(spec.name, spec.plan, now, facts(spec), book)


def _with_run(spec: JobSpec, header: Mapping[str, Any]) -> dict[str, Any]:
    return {**header, "run": spec.run} if spec.run else dict(header)


def stronger(now: StopKind | None, asked: StopKind) -> StopKind:
    """A stop may become a drain or a cancel, never less.

    >>> stronger(StopKind.DRAIN, StopKind.STOP).value
    'drain'
    """
    order = list(StopKind)
    return asked if now is None else max(now, asked, key=order.index)
