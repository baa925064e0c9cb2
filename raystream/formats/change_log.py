"""Rows with the name of their RowKind in a column `op`: what a sink with changes="log" writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from raystream.data.changes import CHANGE, OP, RowKind
from raystream.data.schema import Schema
from raystream.formats.base import Decoded, Decoder
from raystream.formats.timestamps import without

_KINDS = {kind.name.lower(): kind.value for kind in RowKind}


def with_op(schema: Schema) -> Schema:
    """The columns of a record: `op`, and those of the row."""
    return Schema({OP: pl.String(), **schema.columns}, schema.required | {OP})


class LogDecoder:
    """Records -> rows with CHANGE.

    Args:
        records: Decodes columns of `with_op`.
        keyed: A key identifies a row: an update sets it. Else it is a delete and an insert, for
            nothing tells which row an update is of.
    """

    def __init__(self, records: Decoder, *, keyed: bool) -> None:
        self.schema = records.schema
        self._decode, self._keyed = records.decode, keyed

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """A row of each record."""
        return with_kinds(self._decode(payloads), keyed=self._keyed)


def with_kinds(decoded: Decoded, *, keyed: bool) -> Decoded:
    """CHANGE instead of `op`; a record with another word there is rejected.

    >>> rows = Decoded(pl.DataFrame({"op": ["update_before", "x"], "n": [1, 2]}))
    >>> with_kinds(rows, keyed=False).frame.rows(), with_kinds(rows, keyed=True).rejected[0].index
    ([(1, 3)], 1)
    """
    names = decoded.frame.get_column(OP)
    kinds = names.replace_strict(_KINDS, default=None, return_dtype=pl.Int8()).alias(CHANGE)
    frame = decoded.frame.drop(OP).hstack([kinds])
    unknown = kinds.is_null().arg_true().to_list()
    if unknown:
        words = ", ".join(_KINDS)
        reasons = {row: f"op {names[row]!r} is unknown; there are {words}" for row in unknown}
        rejected = list(decoded.rejected)
        decoded = replace(without(frame, reasons, rejected), unknown=decoded.unknown)
        frame = decoded.frame
    kind = pl.col(CHANGE)
    before, after = RowKind.UPDATE_BEFORE.value, RowKind.UPDATE_AFTER.value
    settled = pl.when(kind != before).then(kind).otherwise(None)  # the next row says what holds
    if not keyed:
        gone, fresh = RowKind.DELETE.value, RowKind.INSERT.value
        settled = kind.replace({before: gone, after: fresh})
    return replace(decoded, frame=frame.with_columns(settled.cast(pl.Int8()).alias(CHANGE)))
