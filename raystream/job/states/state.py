"""Interface of a state of a job: it takes an event, returns commands and the next state."""

from __future__ import annotations

from typing import Protocol

from raystream.job.context import JobContext
from raystream.job.messages import JobCommand, JobEvent


class State(Protocol):
    """One state of the job; the machine has already dropped stale events."""

    @property
    def name(self) -> str:
        """Name shown in the status."""
        ...

    def enter(self, context: JobContext) -> Step:
        """Enter the state; may return another state at once."""
        ...

    def handle(self, context: JobContext, event: JobEvent) -> Step:
        """Handle one event."""
        ...


Step = tuple[State, list[JobCommand]]
"""The state after an event, and the commands to perform, in order."""
