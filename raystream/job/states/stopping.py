"""Stopping: the sources end, one last checkpoint commits. Else as running."""

from __future__ import annotations

from raystream.job.life import Life
from raystream.job.messages import Drain, StopKind
from raystream.job.states.checkpointing import Checkpointing
from raystream.job.states.state import Step


class Stopping(Checkpointing):
    """A stop or drain goes the way of a bounded run: sources dry -> final checkpoint -> ended.

    Args:
        before: The state that was told to stop; its running checkpoint continues.
    """

    name = "stopping"

    def __init__(self, before: Checkpointing) -> None:
        super().__init__()
        self.coordinator = before.coordinator
        self.dry = before.dry

    def enter(self, life: Life) -> Step:
        """A stop closes no window, a drain all of them."""
        return self, [Drain(life.opened, close_windows=life.stop is StopKind.DRAIN)]

    def stop(self, life: Life) -> Step:
        """Asked again: it is under way."""
        return self, []
