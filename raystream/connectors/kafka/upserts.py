"""Records of a compacted topic: a value sets the row of its key, a tombstone removes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raystream.connectors.base import ReadOptions
from raystream.connectors.columns import decode_schema, record_decoder
from raystream.connectors.kafka.record_keys import KeyDecoder
from raystream.data.changes import RowKind
from raystream.data.schema import Schema
from raystream.formats.base import Decoded, Format
from raystream.formats.parts import Part, nothing, together


class UpsertDecoder:
    """Keys and values -> rows with CHANGE: UPDATE_AFTER, or DELETE with the key and nulls.

    The key columns are those of the record's key, which compaction goes by, whatever a value says.

    Args:
        form: Of the values.
        key_form: Of the keys.
        options: The columns; `options.key` are those of the key.
    """

    def __init__(self, form: Format, key_form: str, options: ReadOptions) -> None:
        wanted = decode_schema(options)
        self.schema = wanted
        mine = {n: t for n, t in wanted.columns.items() if n in options.key}
        own = {*options.key, *options.metadata}
        rest = {n: t for n, t in wanted.columns.items() if n not in own}
        self._columns = [name for name in wanted.columns if name not in options.metadata]
        self._keys = KeyDecoder(Schema({name: mine[name] for name in options.key}), key_form)
        self._rest = Schema(rest, wanted.required & rest.keys())
        self._values = record_decoder(form, replace(options, changes=None), self._rest)

    def decode(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Decoded:
        """A row of each record."""
        keyed = self._keys.decode(keys)
        bad = {row.index for row in keyed.rejected}
        number = [index for index in range(len(keys)) if index not in bad]
        set_ = [index for index in number if values[index] is not None]
        gone = [index for index in number if values[index] is None]
        rows = self._values.decode([values[index] for index in set_])
        parts = [Part(set_, rows, RowKind.UPDATE_AFTER)]
        if gone:
            parts.append(Part(gone, nothing(self._rest, len(gone)), RowKind.DELETE))
        found = together(parts, keyed.rejected)
        at = dict(zip(number, range(len(number)), strict=True)) if bad else None
        mine = [at[place] for place in found.places.tolist()] if at else found.places
        frame = found.decoded.frame.hstack(keyed.frame[mine])
        order = [*self._columns, *(n for n in frame.columns if n not in self._columns)]
        return replace(found.decoded, frame=frame.select(order))
