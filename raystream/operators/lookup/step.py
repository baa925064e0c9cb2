"""Lookup: each row with the rows of a bounded table that have its key; the table is read before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from raystream.operators.call import OTHER_STREAMS, Call
from raystream.operators.joins.step import JoinStep

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Lookup(JoinStep):
    """Rows of the left stream wait until the right one has ended; they stay in their subtasks.

    >>> Lookup((("code", "code"),)).words()
    'lookup on code'
    """

    word: ClassVar[str] = "lookup"
    form: ClassVar[str] = "lookup"
    operator: ClassVar[str] = "raystream.operators.lookup.operator:Lookup"
    side_tags: ClassVar[tuple[str, ...]] = ()
    loads: ClassVar[tuple[int, ...]] = (1,)

    def outputs(self, inputs: Sequence[Schema]) -> dict[str, Schema]:
        """No row is late: the table is the same at all times."""
        return {"main": self._main(inputs)}

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """That of the rows, which do not move."""
        return inputs[0].key

    def routing(self, port: int) -> tuple[str, ...] | None:
        """Rows stay where they are."""
        return None

    def width(self, asked: int | None, default: int, inputs: Sequence[int], cap: int | None) -> int:
        """That of the rows."""
        return asked or inputs[0]

    def words(self) -> str:
        """With the keys."""
        return JoinStep.words(self).replace("join", "lookup", 1)

    def label(self) -> tuple[str, str]:
        """With the keys."""
        return "lookup", "-".join(self.keys(0))

    def calls(self) -> tuple[Call, ...]:
        """`.lookup(table, ..)`."""
        return (Call("lookup", (OTHER_STREAMS,), self.options()),)
