"""Interface between the control loop and what runs the subtasks: Ray actors, or this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from raystream.checkpoint.barrier import Barrier
from raystream.ids import SubtaskId
from raystream.job.messages import Address, WorkerEvent
from raystream.job.spec import OpenRequest

Post = Callable[[WorkerEvent], None]
"""Posts an event to the control loop's inbox; callable from any thread."""


class Workers(Protocol):
    """Runs subtasks. No call blocks for long; every outcome is an event given to `Post`.

    The machine ignores events of an attempt that is over; a subtask refuses calls with an old
    attempt.
    """

    def open(self, requests: Sequence[OpenRequest], avoid: frozenset[str]) -> None:
        """Open these subtasks for an attempt. Outcome: Opened or Died for each.

        A survivor is reset in place, otherwise a spare or a new process is used, never on a node in
        `avoid`.
        """
        ...

    def connect(self, attempt: int, addresses: Mapping[SubtaskId, Address]) -> None:
        """Send every subtask the addresses of its targets. Outcome: Connected or Died for each."""
        ...

    def start(self, attempt: int) -> None:
        """Start every subtask, sinks first."""
        ...

    def trigger(self, attempt: int, barrier: Barrier) -> None:
        """Inject the barrier at the sources and pull every snapshot. Outcome: Acked or Died."""
        ...

    def notify_committed(self, attempt: int, checkpoint: int) -> None:
        """Notify every subtask that phase two is done."""
        ...

    def drain(self, attempt: int, *, close_windows: bool) -> None:
        """Make the sources stop reading (and send the last watermark): Dry for each source."""
        ...

    def ping(self, attempt: int, others: Mapping[SubtaskId, int]) -> None:
        """Ask every subtask of the attempt for a Pong.

        Args:
            attempt: Of the job.
            others: For sources with a group the least event time of the others in it.
        """
        ...

    def kill(self, subtasks: Sequence[SubtaskId]) -> None:
        """Kill these processes reliably (also frozen ones). No event."""
        ...

    def close(self) -> None:
        """End everything."""
        ...
