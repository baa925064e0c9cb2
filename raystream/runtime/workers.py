"""What the control loop asks of whatever runs the subtasks: Ray actors, or this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from raystream.checkpoint.barrier import Barrier
from raystream.ids import SubtaskId
from raystream.job.messages import Address, WorkerEvent
from raystream.job.spec import OpenRequest

Post = Callable[[WorkerEvent], None]
"""Puts an event into the control loop's inbox; any thread may call it."""


class Workers(Protocol):
    """Runs subtasks. No call blocks for long; every outcome is an event given to `Post`.

    An event of an attempt that is over is ignored by the machine; a call with an old attempt is
    refused by the subtask.
    """

    def open(self, requests: Sequence[OpenRequest], avoid: frozenset[str]) -> None:
        """Open these subtasks for an attempt. Outcome: Opened or Died for each.

        A survivor is reset in place, else a spare or a new one is taken, never on a node in
        `avoid`.
        """
        ...

    def connect(self, attempt: int, addresses: Mapping[SubtaskId, Address]) -> None:
        """Tell every subtask where its targets are. Outcome: Connected or Died for each."""
        ...

    def start(self, attempt: int) -> None:
        """Let every subtask run, sinks first."""
        ...

    def trigger(self, attempt: int, barrier: Barrier) -> None:
        """Inject the barrier at the sources, pull every snapshot. Outcome: Acked or Died."""
        ...

    def notify_committed(self, attempt: int, checkpoint: int) -> None:
        """Phase two is done."""
        ...

    def drain(self, attempt: int, *, close_windows: bool) -> None:
        """Sources stop reading (and send the last watermark): Dry for each source."""
        ...

    def ping(self, attempt: int) -> None:
        """Ask every subtask of the attempt for a Pong."""
        ...

    def kill(self, subtasks: Sequence[SubtaskId]) -> None:
        """End these processes for sure (also frozen ones). No event."""
        ...

    def close(self) -> None:
        """End everything."""
        ...
