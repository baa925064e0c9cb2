"""Write: rows go to a sink; its runtime is runtime/sink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import Call, Connector
from raystream.operators.step import Step
from raystream.operators.words import place

if TYPE_CHECKING:
    from raystream.data.changes import ChangesMode
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Write(Step):
    """Rows go to `sink` (a connectors.base.Sink).

    Args:
        sink: The sink.
        written: How changes are written (data.changes.ChangesMode); None: rows are only added.

    >>> Write(rs.Collect()).words()
    'write rows in memory'
    """

    word: ClassVar[str] = "write"
    form: ClassVar[str] = "sink"

    sink: Any = field()
    written: ChangesMode | None = None

    def outputs(self, inputs: Sequence[Schema]) -> dict[str, Schema]:
        """The written columns; they have no consumer."""
        return {"main": inputs[0]}

    def words(self) -> str:
        """With the sink."""
        return f"write {self.sink.describe()}"

    def label(self) -> tuple[str, str]:
        """With the place it writes to."""
        return "write", place(self.sink.describe())

    def calls(self) -> tuple[Call, ...]:
        """`.write(sink)`."""
        options = {} if self.written is None else {"changes": self.written.value}
        return (Call("write", (Connector(self.sink),), options),)
