"""Common base of running and stopping: checkpoints, the end of the sources, failures."""

from __future__ import annotations

from raystream.checkpoint import messages as checkpoints
from raystream.checkpoint.coordinator import CheckpointCoordinator
from raystream.checkpoint.protocol.commit import Committed, NotCommitted, commit_checkpoint
from raystream.checkpoint.records import Checkpoint
from raystream.ids import SubtaskId
from raystream.job.life import Life
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

    def enter(self, life: Life) -> Step:
        """See the states."""
        raise NotImplementedError

    def handle(self, life: Life, event: JobEvent) -> Step:
        """See the table in tests/job/test_machine.py."""
        match event:
            case Tick(now):
                return self._tick(life, now)
            case Acked(_, ack):
                life.report.ack(ack.subtask, ack.checkpoint, life.now)
                return self.tell(life, checkpoints.Acked(ack))
            case Dry(subtask, _):
                return self._is_dry(life, subtask)
            case ProcedureDone("commit", outcome):
                return self._commit_returned(life, outcome)
            case ProcedureFailed("commit", exception):
                failure = Failure(recovering.INFRASTRUCTURE, recovering.one_line(exception))
                return failing.Failing([(None, failure)]), []
            case Died(subtask, _, failure):
                return failing.Failing([(subtask, failure)]), []
            case CheckpointRequested(ticket):
                return self.tell(life, checkpoints.CheckpointRequested(ticket))
            case StopRequested():
                return self.stop(life)
        return self, []

    def stop(self, life: Life) -> Step:
        """Handle a request to stop or drain."""
        raise NotImplementedError

    def _tick(self, life: Life, now: float) -> Step:
        silent = life.silent()
        if silent:
            return failing.Failing([(died.subtask, died.failure) for died in silent]), []
        state, commands = self.tell(life, checkpoints.Tick(now))
        return state, [*commands, *life.pings()]

    def _is_dry(self, life: Life, subtask: SubtaskId) -> Step:
        self.dry.add(subtask)
        if not self.dry >= set(life.spec.plan.sources()):
            return self, []
        return self.tell(life, checkpoints.FinalRequested())

    def _commit_returned(self, life: Life, outcome: object) -> Step:
        life.unresolved = False
        if isinstance(outcome, NotCommitted):
            failure = Failure(recovering.INFRASTRUCTURE, outcome.reason)
            return failing.Failing([(None, failure)]), []
        assert isinstance(outcome, Committed)
        checkpoint = outcome.checkpoint
        life.policy.completed()
        life.report.completed(checkpoint, life.now)
        state, commands = self.tell(life, checkpoints.CheckpointCommitted(checkpoint.number))
        commands += life.savepoints.discard()
        if checkpoint.final:
            return ended.Ended(life.natural_end(), final=checkpoint), commands
        return state, [*commands, *life.in_background()]

    def tell(self, life: Life, event: checkpoints.Event) -> Step:
        """Pass an event to the coordinator and perform its commands."""
        assert self.coordinator is not None
        state: State = self
        commands: list[JobCommand] = []
        for command in self.coordinator.handle(event):
            state, more = self._obey(life, command)
            commands += more
        return state, commands

    def _obey(self, life: Life, command: checkpoints.Command) -> Step:
        match command:
            case checkpoints.TriggerBarrier(barrier):
                life.report.triggered(barrier.checkpoint, life.now, final=barrier.final)
                last = [Ping(life.opened)] if barrier.final else []
                return self, [Trigger(life.opened, barrier), *last]
            case checkpoints.CommitCheckpoint(slot, checkpoint):
                return self, self._commit(life, slot, checkpoint)
            case checkpoints.NotifyCommitted(number):
                return self, [NotifyCommitted(life.opened, number)]
            case checkpoints.FailAttempt(reason):
                return failing.Failing([(None, Failure("infrastructure", reason))]), []
            case checkpoints.Served(tickets, checkpoint):
                return self, life.serve(life.savepoints.serve(tickets, checkpoint))

    def _commit(self, life: Life, slot: int, checkpoint: Checkpoint) -> list[JobCommand]:
        life.report.acked(life.now)
        life.unresolved = True
        at = life.now
        return [*life.turns.add("commit", lambda: commit_checkpoint(slot, checkpoint, at))]
