"""Pending requests for checkpoints and savepoints, and the copies being written."""

from __future__ import annotations

from collections.abc import Iterable

from raystream.checkpoint.records import Checkpoint
from raystream.errors import RaystreamError
from raystream.job.messages import (
    Answer,
    CheckpointRequested,
    DiscardSavepoint,
    KeepSavepoint,
    SavepointKept,
)

Orders = list[Answer | KeepSavepoint]


class Savepoints:
    """Requests for checkpoints and savepoints; they outlive attempts and are served after recovery.

    A savepoint is copied while the job keeps running; until the copy is complete nothing that it
    copies may be cleaned up. If it cannot be written, the answer is an error; the job does not
    fail.

    Args:
        place: Default address prefix of savepoints, without a trailing slash.

    >>> from raystream.checkpoint.records import Owner
    >>> savepoints = Savepoints("/data/job/savepoints")
    >>> savepoints.ask(CheckpointRequested(1, "", "c0ffee"))
    >>> [order] = savepoints.serve(savepoints.waiting, Checkpoint(Owner(0, "n"), 7, {}))
    >>> order.address, savepoints.copying
    ('/data/job/savepoints/7-c0ffee', True)
    >>> savepoints.kept(SavepointKept(1, order.address))
    [Answer(ticket=1, result='/data/job/savepoints/7-c0ffee')]
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._waiting: dict[int, CheckpointRequested] = {}
        self._copying: dict[int, str] = {}
        self._of_stop: CheckpointRequested | None = None
        self._discard: str | None = None
        self._discarding = False
        self.of_the_end: str | RaystreamError | None = None
        """Savepoint requested with the stop: its address, or why there is none."""

    # --- requests

    def ask(self, request: CheckpointRequested) -> None:
        """Add a request for a checkpoint or savepoint."""
        self._waiting[request.ticket] = request

    def ask_at_the_end(self, request: CheckpointRequested) -> None:
        """Request that the last checkpoint be kept. The first request decides where."""
        self._of_stop = self._of_stop or request

    @property
    def waiting(self) -> tuple[int, ...]:
        """Tickets that are not served yet."""
        return tuple(self._waiting)

    @property
    def wanted_at_the_end(self) -> bool:
        """Whether the job must end with a last checkpoint."""
        return self._of_stop is not None

    @property
    def copying(self) -> bool:
        """Whether a copy is being written: nothing may be cleaned up."""
        return bool(self._copying)

    @property
    def busy(self) -> bool:
        """Whether a copy is being written or a claimed savepoint deleted."""
        return self.copying or self._discarding

    # --- answers

    def serve(self, tickets: Iterable[int], checkpoint: Checkpoint) -> Orders:
        """Serve these tickets with this committed checkpoint."""
        found = (self._waiting.pop(ticket, None) for ticket in tickets)
        return [self._serve(request, checkpoint) for request in found if request is not None]

    def serve_at_the_end(self, checkpoint: Checkpoint) -> Orders:
        """Serve all requests with the last checkpoint, which is committed."""
        stop = self._of_stop
        if stop is not None and self.of_the_end is None and stop.ticket not in self._copying:
            self.ask(stop)
        return self.serve(self.waiting, checkpoint)

    def kept(self, event: SavepointKept) -> list[Answer]:
        """Handle a copy that is complete or could not be written."""
        if self._copying.pop(event.ticket, None) is None:
            return []
        return [self._answered(event.ticket, event.problem or event.address)]

    def refuse(self, why: RaystreamError, *, copies: bool = False) -> list[Answer]:
        """Refuse all waiting requests; with `copies`, also those whose copy is being written."""
        tickets = [*self._waiting, *(self._copying if copies else ())]
        self._waiting.clear()
        if copies:
            self._copying.clear()
        return [self._answered(ticket, why) for ticket in tickets]

    def _serve(
        self, request: CheckpointRequested, checkpoint: Checkpoint
    ) -> Answer | KeepSavepoint:
        if request.keep is None:
            return Answer(request.ticket, checkpoint.number)
        address = request.keep or f"{self._place}/{checkpoint.number}-{request.tag}"
        self._copying[request.ticket] = address
        return KeepSavepoint(request.ticket, address, checkpoint)

    def _answered(self, ticket: int, result: str | RaystreamError) -> Answer:
        if self._of_stop is not None and ticket == self._of_stop.ticket:
            self.of_the_end = result
        return Answer(ticket, result)

    # --- the savepoint that the run started from

    def claim(self, address: str) -> None:
        """Claim the savepoint at `address`: delete it once the run has a checkpoint of its own."""
        self._discard = address

    def discard(self) -> list[DiscardSavepoint]:
        """Delete the claimed savepoint, once; a checkpoint of this run with its `done` exists."""
        if self._discard is None:
            return []
        address, self._discard, self._discarding = self._discard, None, True
        return [DiscardSavepoint(address)]

    def discarded(self) -> None:
        """Record that the claimed savepoint is deleted, or cannot be."""
        self._discarding = False
