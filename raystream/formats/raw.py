"""Raw bytes: one Binary column `value`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from raystream.data.schema import Schema, no_column
from raystream.errors import ConfigurationError
from raystream.formats.base import Decoded, RejectedRow

VALUE = "value"
"""The one column."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Payloads as they are.

    >>> Raw().decoder(Raw().infer([b"x"])).decode([b"a", None]).rejected
    (RejectedRow(index=1, reason='record without a value'),)
    """

    @property
    def name(self) -> str:
        """`raw`."""
        return "raw"

    def decoder(self, schema: Schema) -> RawDecoder:
        """Decoder to `value` (or to no column at all).

        Raises:
            ConfigurationError: the schema has other columns.
        """
        for name in schema.columns:
            if name != VALUE:
                raise no_column(name, [VALUE])
        return RawDecoder(schema)

    def encoder(self, schema: Schema) -> RawEncoder:
        """Encoder of the one column of the schema, whatever its name.

        Raises:
            ConfigurationError: there is not exactly one column, of type binary or string.
        """
        if len(schema.columns) != 1 or schema.columns[schema.names()[0]] not in _BYTES:
            what = f"format raw writes one column of bytes, not {', '.join(schema.names())}"
            raise ConfigurationError(what, what_to_do="select one binary or string column")
        return RawEncoder(schema.names()[0])

    def infer(self, payloads: Sequence[bytes | None]) -> Schema | None:
        """Always the same; nothing has to be learnt."""
        return Schema({VALUE: pl.Binary()})


_BYTES = (pl.Binary(), pl.String())


class RawDecoder:
    """Payloads -> `value`; a record without a value (a tombstone) is rejected."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """All payloads that are there."""
        values = pl.Series(VALUE, payloads, pl.Binary)
        kept = values.drop_nulls()
        frame = kept.to_frame() if self.schema.columns else pl.DataFrame(height=len(kept))
        missing = values.is_null().arg_true().to_list() if values.null_count() else ()
        return Decoded(frame, tuple(RejectedRow(i, "record without a value") for i in missing))


class RawEncoder:
    """One column -> its bytes; null is a record without a value (a tombstone)."""

    def __init__(self, column: str) -> None:
        self._column = column

    def encode(self, frame: pl.DataFrame) -> Sequence[bytes | None]:
        """One payload per row."""
        encoded: list[bytes | None] = frame.get_column(self._column).cast(pl.Binary).to_list()
        return encoded
