"""What steps share whose state is kept per key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from raystream.operators.step import Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


class KeyedStep(Step):
    """A step whose rows are partitioned by its key, if it has one.

    Attributes:
        keys: Columns of the key; empty: one subtask has all rows.
        columns: Schema of its rows, if known.
    """

    __slots__ = ()

    keys: tuple[str, ...]
    columns: Any = None

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """That of its state."""
        return self.keys

    def routing(self, port: int) -> tuple[str, ...] | None:
        """By key; without one all rows go to one subtask."""
        return self.keys

    def width(self, asked: int | None, default: int, inputs: Sequence[int], cap: int | None) -> int:
        """Only one subtask if there is no key."""
        return (asked or default) if self.keys else 1

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the columns of the rows."""
        return self if inputs[0].open else self.but(columns=inputs[0])

    def key_types(self) -> dict[str, Any]:
        """Types of the key, a part of `meaning`: the owner of a key depends on them."""
        known = {} if self.columns is None else self.columns.columns
        if not self.keys or not set(self.keys) <= known.keys():
            return {}
        return {"key types": {key: str(known[key]) for key in self.keys}}
