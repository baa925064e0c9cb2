"""Read: rows of a source; its runtime is runtime/source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.policies import ErrorPolicy, WatermarkStrategy
from raystream.operators.call import Call, Connector, Declared
from raystream.operators.event_time import time_options
from raystream.operators.step import Expression, Inputs, Step
from raystream.operators.words import place

if TYPE_CHECKING:
    from raystream.data.changes import ReadChanges
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Read(Step):
    """Rows of a source. `source` is a connectors.base.Source.

    Args:
        source: The source.
        event_time: Column, path into one, or Expression; None: the record's own timestamp.
        schema: Declared schema (data.schema.Schema) or None: learnt once.
        watermark: Per split.
        errors: Policy for records that do not decode or fit.
        event_time_unit: Unit of event time: s, ms, us, ns, iso8601.
        time_zone: Of event time written without one (IANA name).
        changed: How its records change rows (data.changes.ReadChanges); None: rows are only added.
        keys: Columns that identify a row that is changed.

    >>> Read(rs.Rows([{"n": 1}])).words()
    'read 1 rows in memory'
    """

    word: ClassVar[str] = "read"
    form: ClassVar[str] = "source"
    inputs: ClassVar[Inputs] = Inputs.NONE

    source: Any = field()
    event_time: Expression | None = None
    schema: Any = None
    watermark: WatermarkStrategy = field(default_factory=WatermarkStrategy)
    errors: ErrorPolicy = ErrorPolicy.FAIL
    event_time_unit: str = "ms"
    time_zone: str | None = None
    changed: ReadChanges | None = None
    keys: tuple[str, ...] = ()

    def outputs(self, inputs: Sequence[Schema]) -> dict[str, Schema]:
        """The declared or learnt columns; event time must be computable from them."""
        from raystream.formats.rejects import DEAD_LETTER_SCHEMA

        self.own_needs(self.schema)
        return {"main": self._read(self.schema), "errors": DEAD_LETTER_SCHEMA}

    def _read(self, columns: Schema) -> Schema:
        """The columns of its rows, which are those of a table if records change rows."""
        from raystream.data.changes import Changes
        from raystream.operators.expressions import check_columns

        if self.changed is None:
            return columns
        if not columns.open:
            check_columns(list(self.keys), columns.columns)
        return columns.with_changes(Changes(self.keys or None))

    def learnt(self, found: Schema) -> Schema:
        """Of envelopes the columns of their rows; what tells the kind of a change is none."""
        from raystream.data.changes import OP, ReadChanges
        from raystream.data.schema import Schema
        from raystream.formats.debezium import row_schema

        if self.changed is None:
            return found
        rows = row_schema(found) if self.changed is ReadChanges.DEBEZIUM else None
        return rows or Schema({n: t for n, t in found.columns.items() if n != OP}, found.required)

    def own_needs(self, columns: Schema) -> frozenset[str]:
        """The columns that event time is computed from, and those of the key."""
        from raystream.operators.event_times import times_of

        if self.event_time is None or columns.open:
            return frozenset(self.keys)
        return frozenset({*self.keys, *times_of(self, columns).reads})

    def width(self, asked: int | None, default: int, inputs: Sequence[int], cap: int | None) -> int:
        """No more subtasks than can have work."""
        wanted = asked or default
        return wanted if cap is None else min(wanted, cap)

    def untyped(self) -> bool:
        """Whether only records reveal the columns."""
        return self.schema is None

    def meaning(self) -> dict[str, Any]:
        """The source, to which the positions belong."""
        found = {"kind": "Read", "source": self.source.describe()}
        return found if self.changed is None else {**found, "changes": self.changed.value}

    def words(self) -> str:
        """With the source."""
        return f"read {self.source.describe()}"

    def label(self) -> tuple[str, str]:
        """With the place it reads from."""
        return "read", place(self.source.describe())

    def calls(self) -> tuple[Call, ...]:
        """`.read(source, ..)`."""
        options: dict[str, Any] = {}
        if self.event_time is not None:
            options["event_time"] = self.event_time
        options |= time_options(self)
        if self.schema is not None:
            options["schema"] = Declared(self.schema, self.source)
        if self.changed is not None:
            options["changes"] = self.changed.value
            options |= {"key": list(self.keys)} if self.keys else {}
        return (Call("read", (Connector(self.source),), options),)
