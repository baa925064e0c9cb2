"""Stopping: the sources end, then one last checkpoint commits. Otherwise as running."""

from __future__ import annotations

from raystream.job.context import JobContext
from raystream.job.messages import Drain, StopKind
from raystream.job.states.checkpointing import Checkpointing
from raystream.job.states.state import Step


class Stopping(Checkpointing):
    """A stop or drain ends like a bounded run: sources exhausted -> final checkpoint -> ended.

    Args:
        before: The state in which the stop was requested; its running checkpoint continues.
    """

    name = "stopping"

    def __init__(self, before: Checkpointing) -> None:
        super().__init__()
        self.coordinator = before.coordinator
        self.dry = before.dry

    def enter(self, context: JobContext) -> Step:
        """Drain the sources; a stop closes no window, a drain all of them."""
        return self, [Drain(context.opened, close_windows=context.stop is StopKind.DRAIN)]

    def stop(self, context: JobContext) -> Step:
        """Ignore another request: the stop is already under way."""
        return self, []
