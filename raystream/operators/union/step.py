"""Union: rows of several inputs with equal columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from raystream.operators.call import OTHER_STREAMS, Call
from raystream.operators.step import Inputs, Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Union(Step):
    """Rows of several inputs with equal schemas.

    All columns of all inputs are needed: they must stay equal.

    >>> Union().needs({"main": frozenset("a")}, [("a", "b"), ("a", "b")])
    [None, None]
    """

    word: ClassVar[str] = "union"
    form: ClassVar[str] = "union"
    inputs: ClassVar[Inputs] = Inputs.MANY
    operator: ClassVar[str] = "raystream.operators.union.operator:Union"

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The columns of the first, if the others have the same."""
        from raystream.operators.union.columns import output_schema

        return output_schema(inputs)

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The key that all inputs have."""
        first = inputs[0].key
        return first if all(schema.key == first for schema in inputs) else ()

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def calls(self) -> tuple[Call, ...]:
        """`.union(others)`."""
        return (Call("union", (OTHER_STREAMS,)),)
