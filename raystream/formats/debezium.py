"""Envelopes of Debezium as rows with what they do: an update or delete of the row of a key.

An envelope is `{"before": row, "after": row, "op": "c|r|u|d", "ts_ms": ..}`, or has this as its
`payload` beside a `schema`. `r` is a row of a snapshot, as it stands: it sets the row like an
insert or an update. A record without a value (a tombstone, for compaction) does nothing: its delete
came before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

from raystream.data.batch import TIME
from raystream.data.changes import RowKind
from raystream.data.schema import Schema
from raystream.formats.base import Decoded, Decoder, RejectedRow
from raystream.formats.parts import Part, nothing, together

_NULL = msgspec.Raw(b"null")
_SETS = frozenset("cru")
_OPS = "c (create), r (read by a snapshot), u (update) and d (delete)"


class _Envelope(msgspec.Struct, gc=False):
    op: str | None = None
    before: msgspec.Raw = _NULL
    after: msgspec.Raw = _NULL
    ts_ms: int | None = None
    payload: msgspec.Raw = _NULL


_decode = msgspec.json.Decoder(_Envelope).decode


class DebeziumDecoder:
    """Envelopes -> the row that each sets or removes.

    Args:
        rows: Decodes the JSON of a row.
        removed: Decodes that of a row that is removed, of which often only the key is there.
        timed: Event time is `ts_ms` of the envelope (null without one).
    """

    def __init__(self, rows: Decoder, removed: Decoder, *, timed: bool) -> None:
        self.schema = rows.schema
        self._rows, self._removed, self._timed = rows, removed, timed

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """A row of each record; CHANGE is null for one without a value."""
        rejected: list[RejectedRow] = []
        found: dict[RowKind | None, tuple[list[int], list[bytes | None]]] = {
            kind: ([], []) for kind in (RowKind.UPDATE_AFTER, RowKind.DELETE, None)
        }
        times: list[int | None] = []
        for index, payload in enumerate(payloads):
            try:
                kind, row, time = _opened(payload)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                rejected.append(RejectedRow(index, f"no envelope of Debezium: {error}"))
                times.append(None)
                continue
            places, rows = found[kind]
            places.append(index)
            rows.append(row)
            times.append(time)
        return self._together(found, rejected, times)

    def _together(
        self, found: Any, rejected: list[RejectedRow], times: list[int | None]
    ) -> Decoded:
        parts = []
        decoders = {RowKind.UPDATE_AFTER: self._rows, RowKind.DELETE: self._removed}
        for kind, (places, rows) in found.items():
            if places or kind is RowKind.UPDATE_AFTER:
                empty = nothing(self.schema, len(rows))
                made = empty if kind is None else decoders[kind].decode(rows)
                parts.append(Part(places, made, kind))
        all_of_them = together(parts, rejected)
        if not self._timed:
            return all_of_them.decoded
        stamps = pl.Series(TIME, times, pl.Int64())[all_of_them.places]
        decoded = all_of_them.decoded
        return Decoded(decoded.frame.hstack([stamps]), decoded.rejected, decoded.unknown)


def _opened(payload: bytes | None) -> tuple[RowKind | None, bytes | None, int | None]:
    """What a record does, with which row, and when."""
    if payload is None:
        return None, None, None
    envelope = _decode(payload)
    if envelope.op is None and bytes(envelope.payload) != b"null":
        envelope = _decode(envelope.payload)
    op, time = envelope.op, envelope.ts_ms
    if op in _SETS:
        return RowKind.UPDATE_AFTER, _row(envelope.after, "after", op), time
    if op == "d":
        return RowKind.DELETE, _row(envelope.before, "before", op), time
    what = "it has no op" if op is None else f"op {op!r} is unknown"
    raise msgspec.ValidationError(f"{what}; there are {_OPS}")  # noqa: EM102


def _row(raw: msgspec.Raw, name: str, op: str) -> bytes:
    row = bytes(raw)
    if row == b"null":
        what = f"op {op!r} without the row {name!r}"
        raise msgspec.ValidationError(what)
    return row


def row_schema(learnt: Schema) -> Schema | None:
    """Columns of the rows, from those that were learnt of the envelopes; None: there are none.

    >>> row = pl.Struct({"id": pl.Int64()})
    >>> row_schema(Schema({"after": row, "op": pl.String()})).columns
    {'id': Int64}
    """
    columns = {**learnt.columns}
    payload = columns.get("payload")
    if "op" not in columns and isinstance(payload, pl.Struct):
        columns = {field.name: _type(field.dtype) for field in payload.fields}
    found: dict[str, pl.DataType] = {}
    for name in ("after", "before"):
        row = columns.get(name)
        if isinstance(row, pl.Struct):
            found = {**{field.name: _type(field.dtype) for field in row.fields}, **found}
    return Schema(found) if found else None


def _type(dtype: Any) -> pl.DataType:
    made: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return made
