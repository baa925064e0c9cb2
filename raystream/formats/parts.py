"""Records that are decoded apart, by what they do to a row, put together in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from raystream.data.changes import CHANGE, RowKind
from raystream.data.schema import Schema
from raystream.formats.base import Decoded, RejectedRow

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the records of a call.

    Args:
        places: Number of each among all records, rising.
        decoded: Their rows.
        kind: What they do; None: nothing.
    """

    places: Sequence[int]
    decoded: Decoded
    kind: RowKind | None

    def kept(self) -> Rows:
        """Numbers of the records that became rows."""
        places = np.asarray(self.places, np.int64)
        bad = [row.index for row in self.decoded.rejected]
        return np.delete(places, bad) if bad else places

    def rejected(self) -> list[RejectedRow]:
        """Those that did not, by their numbers."""
        return [RejectedRow(self.places[row.index], row.reason) for row in self.decoded.rejected]

    def frame(self) -> pl.DataFrame:
        """The rows with their kind."""
        frame = self.decoded.frame
        value = None if self.kind is None else self.kind.value
        kinds = pl.Series(CHANGE, [value], pl.Int8()).new_from_index(0, frame.height)
        return frame.hstack([kinds]) if frame.width else kinds.to_frame()


@dataclass(frozen=True, slots=True)
class Together:
    """All records.

    Args:
        decoded: Rows with CHANGE, and what was rejected.
        places: Number of the record of each row, rising.
    """

    decoded: Decoded
    places: Rows


def together(parts: Sequence[Part], rejected: Sequence[RejectedRow] = ()) -> Together:
    """The rows of all parts in the order of their records.

    >>> frame = pl.DataFrame({"n": [1, 2]})
    >>> gone = Part([1], Decoded(frame[:1]), RowKind.DELETE)
    >>> together([Part([0, 2], Decoded(frame), RowKind.UPDATE_AFTER), gone]).decoded.frame.rows()
    [(1, 2), (1, 3), (2, 2)]
    """
    bad = [*rejected, *(row for part in parts for row in part.rejected())]
    bad.sort(key=lambda row: row.index)
    unknown = sum((Counter(part.decoded.unknown) for part in parts), Counter[str]())
    places = np.concatenate([part.kept() for part in parts])
    frame = pl.concat([part.frame() for part in parts])
    if len(parts) > 1:
        order = np.argsort(places, kind="stable")
        frame, places = frame[order], places[order]
    return Together(Decoded(frame, tuple(bad), dict(unknown)), places)


def nothing(schema: Schema, rows: int) -> Decoded:
    """Rows of nulls, for records without a value."""
    columns = [pl.Series(n, [None], t).new_from_index(0, rows) for n, t in schema.columns.items()]
    return Decoded(pl.DataFrame(columns) if columns else pl.DataFrame(height=rows))
