"""What a state of a job is: it takes an event, gives commands, and names the next state."""

from __future__ import annotations

from typing import Protocol

from raystream.job.life import Life
from raystream.job.messages import JobCommand, JobEvent


class State(Protocol):
    """One state of the job; the machine has sorted out stale events before."""

    @property
    def name(self) -> str:
        """As the status shows it."""
        ...

    def enter(self, life: Life) -> Step:
        """What is done on entering; may name another state at once."""
        ...

    def handle(self, life: Life, event: JobEvent) -> Step:
        """Take one event."""
        ...


Step = tuple[State, list[JobCommand]]
"""The state after an event, and what is to be done about it, in order."""
