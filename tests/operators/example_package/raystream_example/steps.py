"""What the verbs are asked; what runs is in operators.py."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from raystream.operators.needs import Columns, Needed
from raystream.operators.step import Inputs, Step


@dataclass(frozen=True, slots=True)
class Every(Step):
    """Each n-th row of a subtask."""

    word: ClassVar[str] = "every"
    operator: ClassVar[str] = "raystream_example.operators:EveryOperator"

    n: int

    def needs(self, wanted: Any, inputs: Columns) -> list[Needed]:
        """What those behind want."""
        return [wanted["main"]]

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def meaning(self) -> dict[str, Any]:
        """The count is of so many rows."""
        return {"kind": "Every", "n": self.n}

    def words(self) -> str:
        """With the number."""
        return f"every {self.n}th row"


@dataclass(frozen=True, slots=True)
class Tagged(Step):
    """Rows of several streams with equal columns, with the number of theirs; equal keys meet."""

    word: ClassVar[str] = "tagged"
    inputs: ClassVar[Inputs] = Inputs.MANY
    operator: ClassVar[str] = "raystream_example.operators:TaggedOperator"

    by: str
    column: str = "input"

    def columns_behind(self, inputs: Sequence[Any]) -> Any:
        """Those of the first, and the number."""
        from raystream.data.schema import Schema

        return Schema({**inputs[0].columns, **Schema.of({self.column: "int"}).columns})

    def key(self, inputs: Sequence[Any]) -> tuple[str, ...]:
        """The column by which rows meet."""
        return (self.by,)

    def routing(self, port: int) -> tuple[str, ...] | None:
        """Of every input."""
        return (self.by,)
