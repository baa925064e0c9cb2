"""A format of another package: `n=1;k=a`, every value a number or a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from raystream.data.schema import Schema
from raystream.formats.base import Decoded, RejectedRow


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of name and value."""

    name: ClassVar[str] = "pairs"

    between: str = ";"

    def decoder(self, schema: Schema) -> PairsDecoder:
        """For exactly these columns."""
        return PairsDecoder(self.between, schema)

    def encoder(self, schema: Schema) -> PairsEncoder:
        """For rows of these columns."""
        return PairsEncoder(self.between)

    def infer(self, payloads: Sequence[bytes | None]) -> Schema | None:
        """Names of the first record; a column is of whole numbers if all its values are."""
        rows = [_pairs(each, self.between) for each in payloads if each]
        if not rows:
            return None
        numbers = {n: all(row.get(n, "0").isdecimal() for row in rows) for n in rows[0]}
        return Schema.of({n: "int" if number else "string" for n, number in numbers.items()})


class PairsDecoder:
    """Bytes to columns."""

    def __init__(self, between: str, schema: Schema) -> None:
        self._between, self.schema = between, schema

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """A record without one of the columns, or with a value of another type, is rejected."""
        rows, rejected = [], []
        for index, payload in enumerate(payloads):
            try:
                found = _pairs(payload or b"", self._between)
                rows.append([_value(found[n], t) for n, t in self.schema.columns.items()])
            except (KeyError, ValueError) as error:
                rejected.append(RejectedRow(index, f"not pairs: {error}"))
        frame = pl.DataFrame(rows, schema=dict(self.schema.columns), orient="row")
        return Decoded(frame, tuple(rejected))


class PairsEncoder:
    """Columns to bytes."""

    def __init__(self, between: str) -> None:
        self._between = between

    def encode(self, frame: pl.DataFrame) -> list[bytes]:
        """One record per row."""
        rows = frame.iter_rows(named=True)
        return [self._between.join(f"{n}={v}" for n, v in row.items()).encode() for row in rows]


def _pairs(payload: bytes, between: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in payload.decode().split(between))


def _value(text: str, kind: pl.DataType) -> int | str:
    return int(text) if kind.is_integer() else text
