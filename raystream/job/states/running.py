"""Running: one checkpoint after another, until the sources are exhausted, a stop, or a failure."""

from __future__ import annotations

from raystream.checkpoint import messages as checkpoints
from raystream.checkpoint.coordinator import CheckpointCoordinator, CheckpointSettings, Position
from raystream.job.life import Life
from raystream.job.states import stopping
from raystream.job.states.checkpointing import Checkpointing
from raystream.job.states.state import Step


class Running(Checkpointing):
    """Every subtask of the attempt runs."""

    name = "running"

    def enter(self, life: Life) -> Step:
        """Continue checkpoints where recovery left the log; abort strays in the background (5)."""
        recovered = life.recovered
        assert recovered is not None
        life.report.running(life.now)
        self.coordinator = CheckpointCoordinator(
            life.spec.plan.subtasks(),
            Position(recovered.owner, recovered.head, recovered.next_checkpoint),
            settings(life),
            life.header_now(),
        )
        for ticket in life.savepoints.waiting:  # requested earlier: one checkpoint serves them all
            self.tell(life, checkpoints.CheckpointRequested(ticket))
        state, commands = self.tell(life, checkpoints.Tick(life.now))
        commands += life.in_background()
        if life.stop is not None:  # requested earlier and not done yet
            return stopping.Stopping(self), commands
        return state, commands

    def stop(self, life: Life) -> Step:
        """Stop or drain: the sources end, then one last checkpoint commits."""
        return stopping.Stopping(self), []


def settings(life: Life) -> CheckpointSettings:
    """The job's checkpoint settings as those of the coordinator."""
    asked = life.spec.checkpoint
    return CheckpointSettings(asked.interval, asked.min_pause, asked.timeout)
