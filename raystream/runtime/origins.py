"""Origins: the records behind the rows of the newest batches, for errors that name them."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from raystream.connectors.base import Chunk, Rejected
from raystream.data.batch import PLACE
from raystream.ids import SplitId
from raystream.observe.samples import shortened
from raystream.operators.step import UserCode
from raystream.plan.physical import ChainSpec

KEPT_BATCHES = 2
"""A batch is processed while the next one is collected."""

MOST_SPLITS = 3
"""Number of splits named for a batch."""

KEY = 60
"""Maximum length of a shown record key, characters."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of one chunk.

    Args:
        first: Number of the first row.
        height: Number of rows.
        chunk: The chunk that they came from.
        rows: Row indexes in the chunk; None: all, in order.
    """

    first: int
    height: int
    chunk: Chunk
    rows: Sequence[int] | None

    def row(self, place: int) -> int:
        index = place - self.first
        return index if self.rows is None else self.rows[index]

    def split(self, row: int) -> SplitId:
        ends = [run.last for run in self.chunk.runs]
        return self.chunk.runs[bisect_right(ends, row)].split


class Origins:
    """Numbers the rows of a source subtask, and locates the records of the last batches.

    Used only where user functions run in the chain: they cost a thousand times more than the
    numbers, and only the chunks of the batches in progress are kept.
    """

    def __init__(self) -> None:
        self._next = 0
        self._batches: deque[list[_Piece]] = deque([[]], KEPT_BATCHES + 1)

    def numbered(self, frame: pl.DataFrame, chunk: Chunk, kept: pl.Series | None) -> pl.DataFrame:
        """Add the row numbers to the rows of a chunk.

        Args:
            frame: Rows of the chunk that are emitted.
            chunk: The chunk that they came from.
            kept: Boolean, per row of the chunk: it is among them; None: all are.
        """
        rows = None if kept is None else kept.arg_true().to_list()
        self._batches[-1].append(_Piece(self._next, frame.height, chunk, rows))
        first, self._next = self._next, self._next + frame.height
        numbers = pl.int_range(first, self._next, dtype=pl.Int64, eager=True)
        return frame.with_columns(numbers.alias(PLACE))

    def flushed(self) -> None:
        """Close the current batch: it consists of the rows numbered so far."""
        self._batches.append([])

    def told(self, places: Sequence[int]) -> str:
        """Describe where rows came from: a record with its key, or first and last record per split.

        Args:
            places: Numbers of the rows.
        """
        found = [self._record(place) for place in self._ends(places)]
        records = [record for record in found if record is not None]
        if len(places) == 1 and records:
            return f"from {records[0].origin}{_key(records[0])}"
        pairs = zip(records[::2], records[1::2], strict=True)
        told = [_range(first.origin, last.origin) for first, last in pairs]
        more = f" and {len(told) - MOST_SPLITS} more" if len(told) > MOST_SPLITS else ""
        return f"from {'; '.join(told[:MOST_SPLITS])}{more}" if told else ""

    def _ends(self, places: Sequence[int]) -> list[int]:
        """First and last number of each split."""
        ends: dict[SplitId, tuple[int, int]] = {}
        for place in sorted(places):
            for piece in self._pieces(place):
                split = piece.split(piece.row(place))
                ends[split] = (ends.get(split, (place, place))[0], place)
        return [place for pair in ends.values() for place in pair]

    def _record(self, place: int) -> Rejected | None:
        for piece in self._pieces(place):
            return rejects(piece.chunk, [piece.row(place)], "")[0]
        return None

    def _pieces(self, place: int) -> Iterator[_Piece]:
        for batch in self._batches:
            for piece in batch:
                if piece.first <= place < piece.first + piece.height:
                    yield piece


def origins_of(chain: ChainSpec) -> Origins | None:
    """Origins for a chain that starts with a source, if user functions run in it."""
    wanted = any(spec.step.code() is not UserCode.NONE for spec in chain.steps)
    return Origins() if wanted else None


def rejects(chunk: Chunk, rows: Sequence[int], reason: str) -> Sequence[Rejected]:
    """Records of a chunk, made by its reader if possible, else from the chunk itself."""
    if chunk.reject is not None:
        return chunk.reject(rows, reason)
    starts = [(run.first, run.split) for run in chunk.runs]
    found = []
    for row in rows:
        split = max(start for start in starts if start[0] <= row)[1]
        value = chunk.frame.slice(row, 1).write_ndjson().strip().encode()
        found.append(Rejected(split, f"split {split}", {"split": split}, None, value, reason))
    return found


def _range(first: str, last: str) -> str:
    """Two places as a range, with their common part only once.

    >>> _range("topic in, partition 0, offset 17", "topic in, partition 0, offset 90")
    'topic in, partition 0, offset 17 to 90'
    """
    shared, _, number = last.rpartition(" ")
    if first == last:
        return first
    return f"{first} to {number if first.startswith(f'{shared} ') else last}"


def _key(record: Rejected) -> str:
    if record.key is None:
        return ""
    return f", key {shortened(record.key[:200].decode('utf-8', 'backslashreplace'), KEY)!r}"
