"""JSON by the native decoder (raystream.native): it takes what it is sure of, Python the rest.

Whatever it takes, Python would take with equal values; every other record is handed back, and
Python decodes it or words the reason. So the answer never depends on which of them is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from raystream.data.schema import Schema
from raystream.formats.base import Decoded, RejectedRow
from raystream.native import module, why_not

if TYPE_CHECKING:
    from raystream.native import _native

Decode = Callable[[Sequence[bytes | None]], Decoded]

_KINDS: Mapping[type[pl.DataType], str] = {
    pl.Int8: "i8",
    pl.Int16: "i16",
    pl.Int32: "i32",
    pl.Int64: "i64",
    pl.UInt8: "u8",
    pl.UInt16: "u16",
    pl.UInt32: "u32",
    pl.UInt64: "u64",
    pl.Int128: "i64",
    pl.UInt128: "u64",
    pl.Float32: "f32",
    pl.Float64: "f64",
    pl.String: "text",
    pl.Boolean: "bool",
}
"""Integers beyond 64 bits are handed back."""

_EXACT = frozenset({"i64", "f64", "text", "bool"})
"""Kinds that come as the column's own type."""

TRIED = 1000
"""Records by which it is judged whether native decoding is worth while."""

SHORTEST, LONGEST = 20_000, 1_000_000
"""Records that Python decodes alone before the next try; doubled each time."""


class Trust:
    """Whether to decode natively: not while most records are handed back, which costs both ways.

    >>> trust = Trust()
    >>> trust.decided(1000, 900); trust.tries()
    False
    >>> trust.passed(20_000); trust.tries()
    True
    """

    def __init__(self) -> None:
        self._records = self._back = 0
        self._rest = 0
        self._pause = SHORTEST

    def tries(self) -> bool:
        """Whether to decode the next records natively."""
        return self._rest <= 0

    def passed(self, records: int) -> None:
        """Python decoded so many alone."""
        self._rest -= records

    def decided(self, records: int, back: int) -> None:
        """So many were tried, and so many of them handed back."""
        self._records += records
        self._back += back
        if self._records < TRIED:
            return
        if 2 * self._back > self._records:
            self._rest, self._pause = self._pause, min(2 * self._pause, LONGEST)
        else:
            self._pause = SHORTEST
        self._records = self._back = 0


class NativeJson:
    """The native half of a JSON decoder.

    Args:
        raw: Columns as they are in payloads; see `obstacle`.
        python: Decodes records, of all columns.
        finish: Payload columns -> columns of the schema, and rows that are none.
    """

    def __init__(
        self,
        raw: Schema,
        python: Decode,
        finish: Callable[[pl.DataFrame, Sequence[RejectedRow]], Decoded],
    ) -> None:
        self.fields = [_field(name, t, name in raw.required) for name, t in raw.columns.items()]
        self.trust = Trust()
        self.python = python
        self._finish = finish
        self._empty = not raw.columns
        self._types = None if all(map(_is_exact, self.fields)) else dict(raw.columns)
        self._decoder = module().JsonDecoder(self.fields)

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """Decode payloads that Python holds."""
        if not self.trust.tries():
            self.trust.passed(len(payloads))
            return self.python(payloads)
        held = payloads if isinstance(payloads, list) else list(payloads)
        columns, back = self._decoder.decode(held)
        return self.together(columns, back, len(held), lambda: [held[index] for index in back])

    def together(
        self,
        columns: _native.Columns,
        back: Sequence[int],
        records: int,
        values: Callable[[], Sequence[bytes | None]],
    ) -> Decoded:
        """The rows taken, and what Python makes of the others, in the order of the records.

        Args:
            columns: Of the rows taken.
            back: Indexes of the others, rising.
            records: Number of all.
            values: Payloads of the others.
        """
        self.trust.decided(records, len(back))
        taken = self._finish(self._frame(columns), ())
        if not back:
            return taken
        left = self.python(values())
        return _merged(taken, left, back, records)

    def _frame(self, columns: _native.Columns) -> pl.DataFrame:
        if self._empty:
            return pl.DataFrame(height=len(columns))
        frame = pl.DataFrame(columns)
        return frame if self._types is None else frame.cast(self._types)  # type: ignore[arg-type]


def obstacle(raw: Schema) -> str:
    """Why payloads with such columns are not decoded natively; empty: they can be.

    >>> obstacle(Schema({"n": pl.List(pl.Int8())})), obstacle(Schema({"n": pl.Decimal(9, 2)}))
    ('', "column 'n' is Decimal(precision=9, scale=2)")
    """
    for name, dtype in raw.columns.items():
        if not _is_native(dtype) or "\0" in name:
            return f"column {name!r} is {dtype}"
    return why_not()


def _merged(taken: Decoded, left: Decoded, back: Sequence[int], records: int) -> Decoded:
    import numpy as np  # a third of the start of `raystream validate`

    others = np.asarray(back)
    mine = np.setdiff1d(np.arange(records), others, assume_unique=True)
    rejected, places = [], []
    for decoded, index in ((taken, mine), (left, others)):
        gone = [row.index for row in decoded.rejected]
        rejected += [RejectedRow(int(index[row.index]), row.reason) for row in decoded.rejected]
        places.append(np.delete(index, gone))
    rejected.sort(key=lambda row: row.index)
    if not left.frame.height:
        return Decoded(taken.frame, tuple(rejected))
    order = np.argsort(np.concatenate(places), kind="stable")
    frame = pl.concat([taken.frame, left.frame])[order]
    return Decoded(frame, tuple(rejected))


def _is_native(dtype: Any) -> bool:
    if isinstance(dtype, pl.List):
        return _is_native(dtype.inner)
    if isinstance(dtype, pl.Struct):
        within = all("\0" not in each.name and _is_native(each.dtype) for each in dtype.fields)
        return bool(dtype.fields) and within
    return _class(dtype) in _KINDS


def _field(name: str, dtype: Any, required: bool = False) -> _native.Field:
    if isinstance(dtype, pl.List):
        return name, "list", required, [_field("item", dtype.inner)]
    if isinstance(dtype, pl.Struct):
        return name, "struct", required, [_field(each.name, each.dtype) for each in dtype.fields]
    return name, _KINDS[_class(dtype)], required, []


def _is_exact(field: _native.Field) -> bool:
    _, kind, _, within = field
    return all(map(_is_exact, within)) if within else kind in _EXACT


def _class(dtype: Any) -> type[pl.DataType]:
    found: type[pl.DataType] = dtype if isinstance(dtype, type) else type(dtype)
    return found
