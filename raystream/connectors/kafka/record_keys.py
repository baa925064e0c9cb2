"""Keys of records as columns: the inverse of what a sink makes of its key columns."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import polars as pl

from raystream.data.schema import Schema
from raystream.data.types import word_of
from raystream.formats import csv_values
from raystream.formats.base import Decoded, Decoder, RejectedRow
from raystream.formats.json import Json

_NUMBERS = {"int32": ">i", "int64": ">q"}


class KeyDecoder:
    """Keys of records -> key columns.

    Args:
        keys: The columns, with their types.
        form: One of source.KEY_FORMATS. `text`: the value of one column as text, those of several
            as a JSON array. `json`: an object, also as the `payload` beside a `schema`; of one
            column also its value. `int32`, `int64`: of one column, as Kafka Streams writes them.
    """

    def __init__(self, keys: Schema, form: str = "text") -> None:
        self.schema = Schema(keys.columns, frozenset(keys.columns))
        self._form = form
        self._names = keys.names()
        self._json: Decoder = Json().decoder(self.schema)

    def decode(self, keys: Sequence[bytes | None]) -> Decoded:
        """A row of each key; a record without one is rejected."""
        if self._form == "text" and len(self._names) == 1:
            (dtype,) = self.schema.columns.values()
            if not dtype.is_nested():
                return self._texts(keys, dtype)
        return self._objects(keys, _OBJECTS.get(self._form, _number))

    def _texts(self, keys: Sequence[bytes | None], dtype: pl.DataType) -> Decoded:
        """The value of one column as text; bytes as they are."""
        (name,) = self._names
        if dtype == pl.Binary:
            found = pl.Series(name, keys, pl.Binary())
        else:
            found = csv_values.read(pl.Series(name, list(map(_text, keys)), pl.String()), dtype)
        bad = found.is_null()
        rejected = [
            RejectedRow(index, _not_a_key(keys[index], f"column {name!r} is {word_of(dtype)}"))
            for index in bad.arg_true().to_list()
        ]
        return Decoded(found.alias(name).to_frame().filter(~bad), tuple(rejected))

    def _objects(self, keys: Sequence[bytes | None], opened: Callable[..., bytes]) -> Decoded:
        """Each key as a JSON object of the columns, which is then decoded as such."""
        made: list[bytes | None] = []
        reasons: dict[int, str] = {}
        for index, key in enumerate(keys):
            try:
                if key is None:
                    raise ValueError("none")  # noqa: EM101, TRY301, TRY003 - told below
                made.append(opened(key, self._names, self._form))
            except (msgspec.MsgspecError, ValueError, struct.error) as error:
                made.append(None)
                reasons[index] = _not_a_key(key, str(error))
        decoded = self._json.decode(made)
        told = (
            RejectedRow(row.index, reasons.get(row.index, f"key: {row.reason}"))
            for row in decoded.rejected
        )
        return Decoded(decoded.frame, tuple(told))


def _text(key: bytes | None) -> str | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return None


def _not_a_key(key: bytes | None, why: str) -> str:
    if key is None:
        return "record without a key: it tells no row of the table"
    return f"key {key[:40]!r} does not fit: {why}"


def _array(key: bytes, names: Sequence[str], form: str) -> bytes:
    """`["a", 1]`; a single nested value stands alone."""
    if len(names) == 1:
        return _object(names, [msgspec.Raw(key)])
    values = msgspec.json.decode(key, type=list[msgspec.Raw])
    if len(values) != len(names):
        what = f"it has {len(values)} values, not {len(names)}"
        raise ValueError(what)
    return _object(names, values)


def _json(key: bytes, names: Sequence[str], form: str) -> bytes:
    """`{"id": 1}`, `{"schema": .., "payload": {"id": 1}}`, of one column also `1`."""
    value = msgspec.json.decode(key)
    if isinstance(value, dict) and "payload" in value and "schema" in value:
        value = value["payload"]
    if not isinstance(value, dict) and len(names) == 1:
        value = {names[0]: value}
    return msgspec.json.encode(value)


def _number(key: bytes, names: Sequence[str], form: str) -> bytes:
    value: Any = struct.unpack(_NUMBERS[form], key)[0]
    return msgspec.json.encode({names[0]: value})


def _object(names: Sequence[str], values: Sequence[msgspec.Raw]) -> bytes:
    return msgspec.json.encode(dict(zip(names, values, strict=True)))


_OBJECTS: dict[str, Callable[..., bytes]] = {"text": _array, "json": _json}
