"""Common base of running and stopping: checkpoints, the end of the sources, failures."""

from __future__ import annotations

from raystream.checkpoint import messages as checkpoints
from raystream.checkpoint.coordinator import CheckpointCoordinator
from raystream.checkpoint.protocol.commit import Committed, NotCommitted, commit_checkpoint
from raystream.checkpoint.records import Checkpoint
from raystream.ids import SubtaskId
from raystream.job.context import JobContext
from raystream.job.messages import (
    Acked,
    CheckpointRequested,
    Died,
    Dry,
    Failure,
    JobCommand,
    JobEvent,
    NotifyCommitted,
    Ping,
    ProcedureDone,
    ProcedureFailed,
    StopRequested,
    Tick,
    Trigger,
)
from raystream.job.states import ended, failing, recovering
from raystream.job.states.state import State, Step


class Checkpointing:
    """The subtasks run, and this attempt's checkpoint coordinator decides what is due."""

    name = "running"

    def __init__(self) -> None:
        self.coordinator: CheckpointCoordinator | None = None
        self.dry: set[SubtaskId] = set()

    def enter(self, context: JobContext) -> Step:
        """See the states."""
        raise NotImplementedError

    def handle(self, context: JobContext, event: JobEvent) -> Step:
        """See the table in tests/job/test_machine.py."""
        match event:
            case Tick(now):
                return self._tick(context, now)
            case Acked(_, ack):
                context.report.ack(ack.subtask, ack.checkpoint, context.now)
                return self.tell(context, checkpoints.Acked(ack))
            case Dry(subtask, _):
                return self._is_dry(context, subtask)
            case ProcedureDone("commit", outcome):
                return self._commit_returned(context, outcome)
            case ProcedureFailed("commit", exception):
                failure = Failure(recovering.INFRASTRUCTURE, recovering.one_line(exception))
                return failing.Failing([(None, failure)]), []
            case Died(subtask, _, failure):
                return failing.Failing([(subtask, failure)]), []
            case CheckpointRequested(ticket):
                return self.tell(context, checkpoints.CheckpointRequested(ticket))
            case StopRequested():
                return self.stop(context)
        return self, []

    def due(self, now: float) -> float:
        """When the coordinator needs the next tick, monotonic s; `now` if it has seen none."""
        return now if self.coordinator is None else self.coordinator.due(now)

    def stop(self, context: JobContext) -> Step:
        """Handle a request to stop or drain."""
        raise NotImplementedError

    def _tick(self, context: JobContext, now: float) -> Step:
        silent = context.silent()
        if silent:
            return failing.Failing([(died.subtask, died.failure) for died in silent]), []
        state, commands = self.tell(context, checkpoints.Tick(now))
        return state, [*commands, *context.pings()]

    def _is_dry(self, context: JobContext, subtask: SubtaskId) -> Step:
        self.dry.add(subtask)
        if not self.dry >= set(context.spec.plan.sources()):
            return self, []
        return self.tell(context, checkpoints.FinalRequested())

    def _commit_returned(self, context: JobContext, outcome: object) -> Step:
        context.unresolved = False
        if isinstance(outcome, NotCommitted):
            failure = Failure(recovering.INFRASTRUCTURE, outcome.reason)
            return failing.Failing([(None, failure)]), []
        assert isinstance(outcome, Committed)
        checkpoint = outcome.checkpoint
        context.policy.completed(read_on=context.has_read_on(checkpoint))
        context.report.completed(checkpoint, context.now)
        state, commands = self.tell(context, checkpoints.CheckpointCommitted(checkpoint.number))
        commands += context.savepoints.discard()
        if checkpoint.final:
            return ended.Ended(context.natural_end(), final=checkpoint), commands
        return state, [*commands, *context.in_background()]

    def tell(self, context: JobContext, event: checkpoints.Event) -> Step:
        """Pass an event to the coordinator and perform its commands."""
        assert self.coordinator is not None
        state: State = self
        commands: list[JobCommand] = []
        for command in self.coordinator.handle(event):
            state, more = self._obey(context, command)
            commands += more
        return state, commands

    def _obey(self, context: JobContext, command: checkpoints.Command) -> Step:
        match command:
            case checkpoints.TriggerBarrier(barrier):
                context.report.triggered(barrier.checkpoint, context.now, final=barrier.final)
                last = [Ping(context.opened)] if barrier.final else []
                return self, [Trigger(context.opened, barrier), *last]
            case checkpoints.CommitCheckpoint(slot, checkpoint):
                return self, self._commit(context, slot, checkpoint)
            case checkpoints.NotifyCommitted(number):
                return self, [NotifyCommitted(context.opened, number)]
            case checkpoints.FailAttempt(reason):
                return failing.Failing([(None, Failure("infrastructure", reason))]), []
            case checkpoints.Served(tickets, checkpoint):
                return self, context.serve(context.savepoints.serve(tickets, checkpoint))

    def _commit(self, context: JobContext, slot: int, checkpoint: Checkpoint) -> list[JobCommand]:
        context.report.acked(context.now)
        context.unresolved = True
        at = context.now
        return [*context.turns.add("commit", lambda: commit_checkpoint(slot, checkpoint, at))]
