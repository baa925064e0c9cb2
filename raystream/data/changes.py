"""Rows that change rows: a stream is append (rows are only added), or changes.

Every row of a stream of changes has a RowKind (Flink's numbers) in the hidden column CHANGE of its
batch. An update is two rows, the row as it was and as it is, one directly behind the other. A row
is taken back with the very values that it was given with.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from raystream.ids import HIDDEN

CHANGE = f"{HIDDEN}change"
"""Int8: RowKind of a row. Only in streams of changes."""

OP = "op"
"""String: name of the RowKind, in what a sink with changes="log" writes."""


class RowKind(IntEnum):
    """What a row does to the rows before it."""

    INSERT = 0
    UPDATE_BEFORE = 1
    UPDATE_AFTER = 2
    DELETE = 3


class ChangesMode(StrEnum):
    """How a sink writes changes.

    Args:
        UPSERT: The last row of each key counts; a delete has no value (a tombstone).
        LOG: Every change is a row, with its RowKind in the column `op`.
    """

    UPSERT = "upsert"
    LOG = "log"


class ReadChanges(StrEnum):
    """How the records of a source change rows of a table.

    Args:
        UPSERT: A record sets the row of its key, a record without a value removes it.
        DEBEZIUM: A record is an envelope of Debezium: `op`, the row `before` and `after`.
        LOG: A record is a row with its RowKind in the column `op`, as ChangesMode.LOG writes it.
    """

    UPSERT = "upsert"
    DEBEZIUM = "debezium"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Changes:
    """That a stream is one of changes.

    Args:
        by: Columns that identify a row: of all rows with equal values there, only the last exists,
            and their changes arrive in order. Empty: there is one row in all. None: no
            columns identify a row any more.
    """

    by: tuple[str, ...] | None
