"""Who waits for a checkpoint or a savepoint, and which copies are being written."""

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
    """Requests outlive attempts: what a failure cuts off is done after the recovery.

    A savepoint is copied beside the job, while it runs on; until the copy is whole nothing that
    it copies may be cleaned up. That it cannot be written is an answer, no failure of the job.

    Args:
        place: Where savepoints go whose asker named no place; without a slash at its end.

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
        """Savepoint that was asked for with the stop: its address, or why there is none."""

    # --- who asks

    def ask(self, request: CheckpointRequested) -> None:
        """Somebody waits for a checkpoint, or a savepoint."""
        self._waiting[request.ticket] = request

    def ask_at_the_end(self, request: CheckpointRequested) -> None:
        """The job is to stop; its last checkpoint is to be kept. The first who asks says where."""
        self._of_stop = self._of_stop or request

    @property
    def waiting(self) -> tuple[int, ...]:
        """Tickets of those who are not served yet."""
        return tuple(self._waiting)

    @property
    def wanted_at_the_end(self) -> bool:
        """True if the job may not end without a last checkpoint."""
        return self._of_stop is not None

    @property
    def copying(self) -> bool:
        """True while a copy is written: nothing may be cleaned up."""
        return bool(self._copying)

    @property
    def busy(self) -> bool:
        """True while a copy is written, or a claimed savepoint deleted."""
        return self.copying or self._discarding

    # --- what becomes of it

    def serve(self, tickets: Iterable[int], checkpoint: Checkpoint) -> Orders:
        """These asked for this checkpoint; it is committed."""
        found = (self._waiting.pop(ticket, None) for ticket in tickets)
        return [self._serve(request, checkpoint) for request in found if request is not None]

    def serve_at_the_end(self, checkpoint: Checkpoint) -> Orders:
        """The last checkpoint is committed: it serves everybody."""
        stop = self._of_stop
        if stop is not None and self.of_the_end is None and stop.ticket not in self._copying:
            self.ask(stop)
        return self.serve(self.waiting, checkpoint)

    def kept(self, event: SavepointKept) -> list[Answer]:
        """A copy is whole, or could not be written."""
        if self._copying.pop(event.ticket, None) is None:
            return []
        return [self._answered(event.ticket, event.problem or event.address)]

    def refuse(self, why: RaystreamError, *, copies: bool = False) -> list[Answer]:
        """Nobody who waits is served any more; with `copies`, also those whose copy is written."""
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

    # --- the one that the run came from

    def claim(self, address: str) -> None:
        """The savepoint at `address` is ours: it goes when the run has a checkpoint of its own."""
        self._discard = address

    def discard(self) -> list[DiscardSavepoint]:
        """A checkpoint of this run is committed, with its `done`: delete what was claimed, once."""
        if self._discard is None:
            return []
        address, self._discard, self._discarding = self._discard, None, True
        return [DiscardSavepoint(address)]

    def discarded(self) -> None:
        """It is deleted, or cannot be."""
        self._discarding = False
