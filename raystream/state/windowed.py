"""WindowedState: partial aggregates by pane and key, appended and compacted, never updated.

A pane is the piece of event time that windows share (Flink's slices): a tumbling window is one
pane, a hopping one several. State is kept per pane, so each row is in it once, however many windows
overlap. Design section 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from raystream.data.segment import Segment
from raystream.errors import DataError
from raystream.ids import HIDDEN

PANE = f"{HIDDEN}pane"
"""Int64, epoch ms: start of the pane of a partial."""

Merge = Callable[[pl.DataFrame, Sequence[str]], pl.DataFrame]
"""`merge(frame, by)`: one row per value of the columns `by`, partials merged."""

COMPACT_ROWS = 50_000
_MAX_RECENT = 64
_MAX_PIECES = 8


@dataclass(slots=True)
class _Piece:
    """Immutable rows; `id` is set once a snapshot has named them."""

    frame: pl.DataFrame
    low: int
    high: int
    id: str | None = None


class WindowedState:
    """Partials of one subtask.

    Rows are appended as they come. They are merged when those not yet merged exceed the merged
    ones (and 50,000), so each row is merged a constant number of times. Snapshots name immutable
    pieces: an incremental checkpoint uploads only names it has not seen.

    Args:
        keys: Names of the key columns.
        merge: Merges partials.
        id_prefix: Start of new segment ids; the attempt's number, which is never reused.
    """

    def __init__(self, keys: Sequence[str], merge: Merge, id_prefix: str) -> None:
        self._by = [PANE, *keys]
        self._merge = merge
        self._prefix = id_prefix
        self._named = 0
        self._pieces: list[_Piece] = []
        self._recent: list[pl.DataFrame] = []
        self._recent_rows = 0
        self._horizon: int | None = None
        self.relabel: pl.Expr | None = None
        """New value of PANE, applied when rows are merged; for panes no window distinguishes."""

    def __len__(self) -> int:
        """Rows held, merged or not."""
        return self._recent_rows + sum(piece.frame.height for piece in self._pieces)

    def size_bytes(self) -> int:
        """Memory of the rows held, as Polars estimates it."""
        frames = [*self._recent, *(piece.frame for piece in self._pieces)]
        return int(sum(frame.estimated_size() for frame in frames))

    def append(self, partials: pl.DataFrame) -> None:
        """Add partials: columns PANE, keys, partial columns."""
        if not partials.height:
            return
        self._recent.append(partials)
        self._recent_rows += partials.height
        base = self._pieces[0].frame.height if self._pieces else 0
        pending = len(self) - base
        if pending > max(COMPACT_ROWS, base):
            self.compact()
        elif len(self._recent) > _MAX_RECENT:
            self._recent = [self._merged(self._recent)]
            self._recent_rows = self._recent[0].height

    def select(self, low: int, high: int) -> pl.DataFrame | None:
        """Rows of panes low <= pane < high, not merged; None if there are none."""
        inside = pl.col(PANE).is_between(low, high, closed="left")
        frames = [piece.frame for piece in self._pieces if piece.high >= low and piece.low < high]
        found = [frame.filter(inside) for frame in (*frames, *self._recent)]
        found = [frame for frame in found if frame.height]
        return _concat(found) if found else None

    def last_pane(self) -> int | None:
        """The latest pane that has rows; None if there are none."""
        highs = [piece.high for piece in self._pieces]
        highs += [high for frame in self._recent if (high := _high(frame)) is not None]
        return max(highs, default=None)

    def pane_counts(self) -> list[tuple[int, int]]:
        """Rows held by pane, rising; unmerged rows are counted, too."""
        frames = [piece.frame for piece in self._pieces] + self._recent
        if not frames:
            return []
        counted = pl.concat([frame.select(PANE).group_by(PANE).len() for frame in frames])
        found: list[tuple[int, int]] = counted.group_by(PANE).sum().sort(PANE).rows()
        return found

    def drop_before(self, horizon: int) -> None:
        """Drop panes < horizon (rows of kept pieces are removed once they are more than half)."""
        self._horizon = horizon if self._horizon is None else max(horizon, self._horizon)
        self._flush()
        self._pieces = [kept for piece in self._pieces if (kept := self._alive(piece)) is not None]

    def compact(self) -> None:
        """Merge everything into one piece."""
        frames = [piece.frame for piece in self._pieces] + self._recent
        self._recent, self._recent_rows = [], 0
        self._pieces = _pieces([self._merged(frames)]) if frames else []

    def snapshot(self) -> tuple[Segment, ...]:
        """All rows as immutable segments; a segment keeps its id from snapshot to snapshot."""
        self._flush()
        if len(self._pieces) > _MAX_PIECES:
            younger = self._merged([piece.frame for piece in self._pieces[1:]])
            self._pieces[1:] = _pieces([younger])
        return tuple(self._segment(piece) for piece in self._pieces)

    def restore(self, segments: Sequence[Segment]) -> None:
        """Start from segments under their own ids."""
        self._pieces = [_Piece(s.frame, *_range(s.frame), s.id) for s in segments if s.frame.height]
        self._pieces.sort(key=lambda piece: -piece.frame.height)

    def _flush(self) -> None:
        if self._recent:
            self._pieces += _pieces([self._merged(self._recent)])
            self._recent, self._recent_rows = [], 0

    def _segment(self, piece: _Piece) -> Segment:
        if piece.id is None:
            piece.id = f"{self._prefix}-{self._named}"
            self._named += 1
        return Segment(piece.id, piece.frame)

    def _alive(self, piece: _Piece) -> _Piece | None:
        horizon = self._horizon
        if horizon is None or piece.low >= horizon:
            return piece
        if piece.high < horizon:
            return None
        alive = piece.frame[PANE] >= horizon
        if int(alive.sum()) * 2 >= piece.frame.height:
            return piece
        kept = piece.frame.filter(alive)
        return _Piece(kept, *_range(kept))

    def _merged(self, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        whole = _concat(frames)
        if self._horizon is not None:
            whole = whole.filter(pl.col(PANE) >= self._horizon)
        if self.relabel is not None:
            whole = whole.with_columns(self.relabel.alias(PANE))
        return self._merge(whole, self._by)


def _pieces(frames: Sequence[pl.DataFrame]) -> list[_Piece]:
    return [_Piece(frame, *_range(frame)) for frame in frames if frame.height]


def _range(frame: pl.DataFrame) -> tuple[int, int]:
    low, high = frame.select(pl.col(PANE).min().alias("low"), pl.col(PANE).max()).row(0)
    return int(low), int(high)


def _high(frame: pl.DataFrame) -> int | None:
    high = frame[PANE].max()
    return high if isinstance(high, int) else None


def _concat(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Columns may differ in order, and in the width of integers, which changes no value."""
    if len(frames) == 1:
        return frames[0]
    first = frames[0].schema
    for frame in frames:
        _check_types(first, frame.schema)
    names = list(first)
    aligned = [frame if frame.columns == names else frame.select(names) for frame in frames]
    return pl.concat(aligned, how="vertical_relaxed")


def _check_types(first: pl.Schema, other: pl.Schema) -> None:
    """Refuse other types: their values would differ, and are never converted silently."""
    for name, dtype in first.items():
        found = other[name]
        if found != dtype and not (found.is_integer() and dtype.is_integer()):
            what = f"state of two types in column {name!r}: {dtype} and {found}"
            raise DataError(what, what_to_do="run once with --from-scratch")
