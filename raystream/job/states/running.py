"""Running: one checkpoint after another, until the sources are exhausted, a stop, or a failure."""

from __future__ import annotations

from raystream.checkpoint import messages as checkpoints
from raystream.checkpoint.coordinator import CheckpointCoordinator, Position, TriggerSettings
from raystream.job.context import JobContext
from raystream.job.states import stopping
from raystream.job.states.checkpointing import Checkpointing
from raystream.job.states.state import Step


class Running(Checkpointing):
    """Every subtask of the attempt runs."""

    name = "running"

    def enter(self, context: JobContext) -> Step:
        """Continue checkpoints where recovery left the log; abort strays in the background (5)."""
        recovered = context.recovered
        assert recovered is not None
        context.report.running(context.now)
        self.coordinator = CheckpointCoordinator(
            context.spec.plan.subtasks(),
            Position(recovered.owner, recovered.head, recovered.next_checkpoint),
            settings(context),
            context.header_now(),
        )
        for ticket in context.savepoints.waiting:  # one checkpoint serves them all
            self.tell(context, checkpoints.CheckpointRequested(ticket))
        state, commands = self.tell(context, checkpoints.Tick(context.now))
        commands += context.in_background()
        if context.stop is not None:  # requested earlier and not done yet
            return stopping.Stopping(self), commands
        return state, commands

    def stop(self, context: JobContext) -> Step:
        """Stop or drain: the sources end, then one last checkpoint commits."""
        return stopping.Stopping(self), []


def settings(context: JobContext) -> TriggerSettings:
    """The job's checkpoint settings as those of the coordinator."""
    asked, recovered = context.spec.checkpoint, context.recovered
    continued = recovered is not None and recovered.base is not None
    return TriggerSettings(asked.interval, asked.min_pause, asked.timeout, continued)
