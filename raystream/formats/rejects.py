"""Records that did not decode or fit, as rows of a dead-letter output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import polars as pl

from raystream.data.schema import Schema

DEAD_LETTER_SCHEMA = Schema(
    {
        "key": pl.Binary(),
        "value": pl.Binary(),
        "reason": pl.String(),
        "origin": pl.String(),
        "headers": pl.List(pl.Struct({"name": pl.String(), "value": pl.String()})),
        "timestamp": pl.Int64(),
        "record_headers": pl.List(pl.Struct({"name": pl.String(), "value": pl.Binary()})),
    },
    required=frozenset({"reason", "origin", "headers"}),
)
"""Columns of a dead-letter row: the raw record, why and where from, its own time (epoch ms).

`headers` are ours, `record_headers` those of the record: in order, names twice and nulls kept.
"""


class RejectedRecord(Protocol):
    """What is read of a connectors.base.Rejected."""

    @property
    def origin(self) -> str:
        """For people."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Origin in parts."""
        ...

    @property
    def key(self) -> bytes | None:
        """Message key."""
        ...

    @property
    def value(self) -> bytes | None:
        """The raw record."""
        ...

    @property
    def reason(self) -> str:
        """Why."""
        ...

    @property
    def timestamp(self) -> int | None:
        """Record timestamp, epoch ms."""
        ...


def dead_letters(rejected: Sequence[RejectedRecord]) -> pl.DataFrame:
    """One row of DEAD_LETTER_SCHEMA per rejected record, in order."""
    rows = [
        {
            "key": record.key,
            "value": record.value,
            "reason": record.reason,
            "origin": record.origin,
            "headers": [{"name": n, "value": v} for n, v in record.headers.items()],
            "timestamp": record.timestamp,
            "record_headers": [
                {"name": name, "value": value}
                for name, value in getattr(record, "record_headers", ())
            ],
        }
        for record in rejected
    ]
    return pl.DataFrame(rows, schema=DEAD_LETTER_SCHEMA.polars())
