"""Collect rows into Python objects, exactly once: for tests, notebooks and local runs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from raystream.checkpoint.records import Committable
from raystream.connectors.base import (
    AbortVerdict,
    Committer,
    CommitterContext,
    Problem,
    SinkWriter,
    Verdict,
    WriteOptions,
)
from raystream.context import SubtaskContext
from raystream.data.batch import HIDDEN
from raystream.data.beyond_python import beyond_python
from raystream.data.changes import CHANGE, RowKind
from raystream.data.values import FOREIGN
from raystream.errors import DataError
from raystream.ids import StepName


@dataclass(slots=True)
class _Shelf:
    """Rows of one Collect in this process: prepared rows by handle, and committed ones."""

    prepared: dict[str, tuple[int, pl.DataFrame]] = field(default_factory=dict)
    committed: dict[str, pl.DataFrame] = field(default_factory=dict)
    key: list[str] | None = None


_SHELVES: dict[str, _Shelf] = {}


def _shelf(name: str) -> _Shelf:
    return _SHELVES.setdefault(name, _Shelf())


@dataclass(frozen=True, slots=True)
class Collect:
    """Sink that keeps its rows: exactly once, visible when their checkpoint is committed.

    The rows live in this process, so it serves runs in one process (`local=True`).

    Args:
        id: Identifies the rows; a copy of this value (pickled or not) refers to the same ones.

    >>> Collect("nothing yet").rows()
    []
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def rows(self) -> list[dict[str, Any]]:
        """Committed rows in the order of their commits; of upserts the last row of each key.

        Raises:
            DataError: a row has a value that Python has not.

        >>> out = Collect()
        >>> p = rs.Pipeline("example", checkpoint_storage="memory://collect")
        >>> p.read(rs.Rows([{"n": 1}])).write(out)
        >>> p.run(until="latest", local=True).kind, out.rows()
        ('finished', [{'n': 1}])
        """
        frame = self.frame()
        try:
            return frame.to_dicts()
        except FOREIGN:
            reasons = beyond_python(frame)
            if reasons is None:
                raise
            what = f"{reasons.drop_nulls()[0]}"
            raise DataError(what, what_to_do="use frame() of the Collect") from None

    def frame(self) -> pl.DataFrame:
        """Committed rows as a frame (without columns if there are none).

        >>> Collect().frame().height
        0
        """
        shelf = _shelf(self.id)
        frames = list(shelf.committed.values())
        if shelf.key is None or not frames:
            return pl.concat(frames) if frames else pl.DataFrame()
        last = pl.concat(frames).unique(shelf.key, keep="last", maintain_order=True)
        return last.filter(pl.col(CHANGE) != RowKind.DELETE.value).drop(CHANGE)

    def clear(self) -> None:
        """Drop everything that was written so far.

        >>> out = Collect()
        >>> out.clear()
        >>> out.rows()
        []
        """
        _SHELVES.pop(self.id, None)

    @property
    def takes_upserts(self) -> bool:
        """Return True: `rows` gives the last row of each key.

        >>> Collect().takes_upserts
        True
        """
        return True

    def check(self, job: str, store_id: str, step: StepName) -> list[str]:
        """Return no warnings."""
        return []

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> SinkWriter:
        """A writer for one subtask."""
        if options.upserts:
            _shelf(self.id).key = list(options.schema.key)
        return CollectWriter(self.id, ctx, options)

    def committer(self, ctx: CommitterContext) -> Committer | None:
        """Phase two: prepared rows become visible."""
        return CollectCommitter(self.id, ctx.step)

    def describe(self) -> str:
        """For people."""
        return "rows in memory"


class CollectWriter:
    """Holds back the rows of one subtask until their checkpoint is committed."""

    def __init__(self, name: str, ctx: SubtaskContext, options: WriteOptions) -> None:
        self._id = name
        self._ctx = ctx
        self._guarantee = options.guarantee
        self._kept = (CHANGE,) if options.upserts else ()
        self._frames: list[pl.DataFrame] = []
        self._direct = 0

    def write(self, frame: pl.DataFrame) -> None:
        """Take these rows."""
        visible = [n for n in frame.columns if not n.startswith(HIDDEN) or n in self._kept]
        self._frames.append(frame.select(visible))
        if self._guarantee == "none":
            self._show()

    def has_room(self) -> bool:
        """Always has room: rows are kept in memory."""
        return True

    def prepare(self, checkpoint: int, *, final: bool) -> Future[Committable | None]:
        """Store the prepared rows; without exactly-once they are visible at once."""
        done: Future[Committable | None] = Future()
        if self._guarantee != "exactly_once":
            self._show()
        done.set_result(self._prepared(checkpoint) if self._frames else None)
        return done

    def _prepared(self, checkpoint: int) -> Committable:
        frame = pl.concat(self._frames)
        self._frames = []
        ctx = self._ctx
        handle = f"{ctx.step}-{ctx.subtask.index}-{ctx.attempt}-{checkpoint}"
        _shelf(self._id).prepared[handle] = (ctx.attempt, frame)
        return Committable(ctx.step, ctx.subtask.index, frame.height, ("memory",), handle)

    def _show(self) -> None:
        for frame in self._frames:
            self._direct += 1
            ctx = self._ctx
            name = f"{ctx.step}-{ctx.subtask.index}-{ctx.attempt}-direct-{self._direct}"
            _shelf(self._id).committed[name] = frame
        self._frames = []

    def committed(self, checkpoint: int) -> None:
        """Do nothing."""

    def oldest_transaction_age_s(self) -> float:
        """Return 0: it opens no transaction on a broker."""
        return 0.0

    def poll(self, now: float) -> float | None:
        """Do nothing: there is no background work."""
        return None

    def close(self) -> None:
        """Drop rows that are in no checkpoint."""
        self._frames = []


class CollectCommitter:
    """Moves prepared rows to where `Collect.rows` finds them."""

    def __init__(self, name: str, step: StepName) -> None:
        self._id = name
        self._step = step

    def check(self, committables: Sequence[Committable]) -> list[Problem]:
        """Every prepared row must be in this process."""
        reason = "its rows are in another process; Collect serves runs in one process (local)"
        prepared = _shelf(self._id).prepared
        return [Problem(c, reason) for c in committables if c.handle not in prepared]

    def commit(self, committables: Sequence[Committable]) -> list[Verdict]:
        """Make rows visible; idempotent."""
        return [self._commit(c.handle) for c in committables]

    def _commit(self, handle: str) -> Verdict:
        shelf = _shelf(self._id)
        if handle in shelf.committed:
            return Verdict.COMMITTED
        if handle not in shelf.prepared:
            return Verdict.LOST
        shelf.committed[handle] = shelf.prepared.pop(handle)[1]
        return Verdict.COMMITTED

    def abort(self, committables: Sequence[Committable]) -> list[AbortVerdict]:
        """Drop prepared rows."""
        return [self._abort(c.handle) for c in committables]

    def _abort(self, handle: str) -> AbortVerdict:
        shelf = _shelf(self._id)
        shelf.prepared.pop(handle, None)
        if handle in shelf.committed:
            return AbortVerdict.PARTLY_COMMITTED
        return AbortVerdict.ABORTED

    def abort_strays(self, before_attempt: int) -> int:
        """Drop the rows of dead attempts."""
        prepared = _shelf(self._id).prepared
        for handle, (attempt, _) in list(prepared.items()):
            if attempt < before_attempt and handle.startswith(f"{self._step}-"):
                del prepared[handle]
        return 0

    def close(self) -> None:
        """Nothing to release."""
