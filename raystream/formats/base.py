"""What a format can do: a Decoder gives a frame and the rejected records, an Encoder bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """Payload number `index` of a decode call did not decode or fit, because of `reason`."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """Frame of the payloads that were accepted, in order, and the others (sorted by index).

    `unknown`: fields that no column takes, and how often they were seen (formats/unknown_fields).
    """

    frame: pl.DataFrame
    rejected: tuple[RejectedRow, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)


class Decoder(Protocol):
    """Bytes -> columns of a fixed schema. One instance per reader; not shared between threads."""

    schema: Schema

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """Decode some payloads (None: the record has no value)."""
        ...


class Encoder(Protocol):
    """Columns -> bytes."""

    def encode(self, frame: pl.DataFrame) -> Sequence[bytes | None]:
        """One payload per row (None: a record without a value); only user columns come."""
        ...


class Format(Protocol):
    """A format as the user names it: makes decoders and encoders, learns schemas."""

    @property
    def name(self) -> str:
        """`json`, `raw`, `csv`, `parquet`."""
        ...

    def decoder(self, schema: Schema) -> Decoder:
        """Decoder for exactly these columns (the planner pushes down the fields needed)."""
        ...

    def encoder(self, schema: Schema) -> Encoder:
        """Encoder for rows of this schema."""
        ...

    def infer(self, payloads: Sequence[bytes | None]) -> Schema | None:
        """Schema learnt from samples; None if they tell nothing yet."""
        ...
