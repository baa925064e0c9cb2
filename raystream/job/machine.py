"""JobMachine: passes each event to the current state and performs state changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from raystream.errors import ConfigurationError, JobFailed, OutputLost, StorageError, Superseded
from raystream.ids import SubtaskId
from raystream.job.checkpoint_book import CheckpointBook
from raystream.job.context import JobContext, RestoreStates, nothing_to_restore
from raystream.job.facts import facts
from raystream.job.liveness import Liveness
from raystream.job.messages import (
    Acked,
    CheckpointRequested,
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
    SavepointDiscarded,
    SavepointKept,
    StopKind,
    StopRequested,
    Tick,
    Trigger,
)
from raystream.job.report import Report
from raystream.job.restart import RestartPolicy
from raystream.job.savepoints import Savepoints
from raystream.job.spec import JobSpec
from raystream.job.states.ended import Ended, failed
from raystream.job.states.recovering import Recovering
from raystream.job.states.running import Running
from raystream.job.states.state import State, Step
from raystream.job.states.stopping import Stopping
from raystream.time.alignment import Groups

PUBLISH_INTERVAL_S = 0.5

LONGEST_CALM_S = 0.25
"""Longest time between two ticks, seconds."""

LAST_COMMIT_LIMIT_S = 20.0
"""How long storage may be silent when the job is to stop, seconds; otherwise without limit."""

PLACE = "savepoints"
"""Below the job's storage, where no cleanup looks; never the start of a key of its log."""

BACKGROUND = frozenset({"strays", "cleanup"})
FINAL = (OutputLost, JobFailed, ConfigurationError, StorageError)
"""Errors that a restart does not fix: the job ends with this message."""


class JobMachine:
    """The life of a job: events in, commands out; no clock, no thread, no I/O.

    Start and restart are one path: recovering -> deploying -> running. Only one procedure of the
    commit protocol runs at a time, and it is never interrupted. Events of an attempt other than the
    open one are ignored.

    Args:
        spec: The job.
        store_id: First 8 hex digits of the uuid of its storage.
        nonce: Random text of this process.
        now: Monotonic seconds.
        new_key: Makes a random secret for the channels of an attempt.
        restore_states: What each subtask restores from a base (plan.restore).
        header: What a restore must know about this plan; goes into every checkpoint.
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
    ) -> None:
        self.context = JobContext(
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
            savepoints=_savepoints(spec),
            groups=_groups(spec),
        )
        if self.context.groups:
            self.context.liveness.often()
        self.context.report.nodes = self.context.nodes
        self.state: State = Recovering()
        self._published = float("-inf")

    def begin(self) -> list[JobCommand]:
        """The first commands; call it once, before the first event."""
        return self._go(self.state.enter(self.context), changed=True)

    def handle(self, event: JobEvent) -> list[JobCommand]:
        """Handle one event and return the commands to perform, in order."""
        context = self.context
        if isinstance(event, Tick):
            context.now = event.now
            context.liveness.tick(event.now)
        if self.over or self._is_stale(event):
            return []
        if isinstance(event, ProcedureDone | ProcedureFailed):
            context.turns.ended()
        commands = self._dispatch(event)
        return commands if self.over else [*commands, *context.turns.next()]

    def due(self) -> float:
        """When the next tick may have something to do, monotonic s; any event may change it."""
        now = self.context.now
        if not isinstance(self.state, Running | Stopping):
            return now
        publish = self._published + PUBLISH_INTERVAL_S
        return min(now + LONGEST_CALM_S, publish, self.context.liveness.due(), self.state.due(now))

    @property
    def over(self) -> bool:
        """Whether End was issued."""
        return isinstance(self.state, Ended) and self.state.over

    def _is_stale(self, event: JobEvent) -> bool:
        if isinstance(event, Opened | Connected | Acked | Dry | Died | Pong):
            return event.attempt != self.context.opened
        return False

    def _dispatch(self, event: JobEvent) -> list[JobCommand]:
        context = self.context
        first: list[JobCommand] = []
        match event:
            case ProcedureFailed(then, exception):
                end = self._end_of(then, exception)
                if end is not None:
                    return self._change(end)
                if then in BACKGROUND:  # retried after the next checkpoint
                    return self._go(self.state.handle(context, ProcedureDone(then, context.strays)))
            case ProcedureDone(then) if then in BACKGROUND:
                context.background_done(event)
            case Pong(subtask, _, stats):
                context.liveness.pong(subtask, context.now)
                context.report.pong(subtask, stats)
                context.groups.heard(subtask, stats.get("lowest"), context.opened)
            case Tick(_, who, seconds) if self._is_hopeless(seconds):
                return self._change(_without_a_last_commit(who))
            case StopRequested(kind, savepoint, by):
                context.stopped_at = context.stopped_at if context.stop else context.now
                context.stop = stronger(context.stop, kind)
                context.stopped_by = by or context.stopped_by
                if savepoint is not None:
                    context.savepoints.ask_at_the_end(savepoint)
                if kind is StopKind.CANCEL and not isinstance(self.state, Ended):
                    return self._change(Ended("cancelled"))
            case CheckpointRequested():
                context.savepoints.ask(event)
            case SavepointKept(_, address, problem):
                if problem is None:
                    context.report.kept(address)
                first += context.savepoints.kept(event)
            case SavepointDiscarded(address, problem):
                context.savepoints.discarded()
                if problem is not None:
                    context.note(f"savepoint {address} could not be deleted: {problem}")
        return self._go(self.state.handle(context, event), first=first)

    def _is_hopeless(self, silent: float) -> bool:
        """Whether a stop should no longer wait for storage that does not answer."""
        context = self.context
        if context.stop is None or isinstance(self.state, Ended):
            return False
        return min(silent, context.now - context.stopped_at) >= LAST_COMMIT_LIMIT_S

    def _end_of(self, then: str, exception: BaseException) -> Ended | None:
        """The Ended state for this exception of a procedure, or None if the job goes on."""
        if isinstance(exception, Superseded):
            return Ended("superseded", str(exception))
        if then in BACKGROUND or isinstance(self.state, Ended):
            return None
        return failed(exception) if isinstance(exception, FINAL) else None

    def _change(self, state: State) -> list[JobCommand]:
        return self._go((state, []))

    def _go(
        self, step: Step, *, first: Sequence[JobCommand] = (), changed: bool = False
    ) -> list[JobCommand]:
        """Enter states until one stays, and publish the status when it is due."""
        state, commands = step[0], [*first, *step[1]]
        while state is not self.state:
            self.state, changed = state, True
            state, more = state.enter(self.context)
            commands = [*commands, *more]
        changed = changed or any(isinstance(command, Trigger) for command in commands)
        return self._with_status(commands, changed=changed)

    def _with_status(self, commands: list[JobCommand], *, changed: bool) -> list[JobCommand]:
        now = self.context.now
        if not (changed or self.over or now - self._published >= PUBLISH_INTERVAL_S):
            return commands
        self._published = now
        end = self.state.kind if isinstance(self.state, Ended) and self.over else None
        status = self.context.report.status(self.state.name, self.context.attempt, now, end)
        if self.over:
            return [*commands[:-1], Publish(status), commands[-1]]
        return [*commands, Publish(status)]


def _without_a_last_commit(who: str) -> Ended:
    what = f"there is no last commit: {who} does not answer"
    advice = "the next run continues from the last checkpoint that is there"
    return Ended("failed", f"{what}; {advice}", tidy=False)


def _report(spec: JobSpec, now: float) -> Report:
    book = CheckpointBook(spec.checkpoint.interval, spec.checkpoint.timeout)
    return Report(spec.name, spec.plan, now, facts(spec), book)


def _savepoints(spec: JobSpec) -> Savepoints:
    """No requests yet; the savepoint that the run starts from is claimed if configured."""
    storage = spec.checkpoint.storage.rstrip("/")
    savepoints = Savepoints(f"{storage}/{spec.name}/{PLACE}")
    if spec.savepoint and spec.claim:
        savepoints.claim(spec.savepoint)
    return savepoints


def _groups(spec: JobSpec) -> Groups:
    """The subtasks of the sources that wait for one another."""
    members: dict[str, list[SubtaskId]] = {}
    for chain in spec.plan.chains:
        if chain.source is not None and chain.source.step.watermark.align is not None:
            members.setdefault(chain.source.step.watermark.align, []).extend(chain.subtasks())
    return Groups(members)


def _with_run(spec: JobSpec, header: Mapping[str, Any]) -> dict[str, Any]:
    return {**header, "run": spec.run} if spec.run else dict(header)


def stronger(now: StopKind | None, asked: StopKind) -> StopKind:
    """The stronger of two stops: a stop may become a drain or a cancel, never less.

    >>> stronger(StopKind.DRAIN, StopKind.STOP).value
    'drain'
    """
    order = list(StopKind)
    return asked if now is None else max(now, asked, key=order.index)
