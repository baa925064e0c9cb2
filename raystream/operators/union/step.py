"""Union: rows of several inputs with the same columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import OTHER_STREAMS, Call
from raystream.operators.step import Inputs, Step

if TYPE_CHECKING:
    from raystream.data.changes import Changes
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Union(Step):
    """Rows of several inputs with columns of the same names, in any order.

    All columns of all inputs are needed: the names must stay equal.

    Args:
        types: Of the columns, in order, if known.
        changing: Rows of an input change earlier ones; set by the plan.
        widened: Columns with a wider type than in some input -> their types there.

    >>> Union().needs({"main": frozenset("a")}, [("a", "b"), ("a", "b")])
    [None, None]
    >>> Union(widened={"n": ["Int32"]}, types={"n": "Int64"}).words()
    'union, n from Int32 to Int64'
    """

    word: ClassVar[str] = "union"
    form: ClassVar[str] = "union"
    inputs: ClassVar[Inputs] = Inputs.MANY
    takes_changes: ClassVar[bool] = True
    operator: ClassVar[str] = "raystream.operators.union.operator:Union"

    types: Any = None
    changing: bool = False
    widened: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The columns of the first, if the others have columns of the same names."""
        from raystream.operators.union.columns import output_schema

        return output_schema(inputs)

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The key that all inputs have."""
        first = inputs[0].key
        return first if all(schema.key == first for schema in inputs) else ()

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the types of the columns, and which of them become wider."""
        from raystream.operators.union.columns import output_schema, widened

        changing = any(schema.changes is not None for schema in inputs)
        if any(schema.open for schema in inputs):
            return self.but(changing=changing)
        types = output_schema(inputs).columns
        return self.but(types=types, widened=widened(inputs, types), changing=changing)

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """If those of an input are: but rows of two inputs may look the same."""
        found = Step.changes(self, inputs)
        return found if found is None or len(inputs) == 1 else type(found)(None)

    def words(self) -> str:
        """With the columns that get a wider type."""
        wider = (
            f", {name} from {' and '.join(kinds)} to {self.types[name]}"
            for name, kinds in self.widened.items()
        )
        return "union" + "".join(wider)

    def calls(self) -> tuple[Call, ...]:
        """`.union(others)`."""
        return (Call("union", (OTHER_STREAMS,)),)
