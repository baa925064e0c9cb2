"""Filter: rows for which a condition is true (null is not true)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.operators.call import Call
from raystream.operators.needs import Columns, Needed, either, roots
from raystream.operators.step import Expression, Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Filter(Step):
    """Rows for which `condition` (Expression) is true; `errors`: rows that cannot be computed.

    >>> Filter("n > 1").words(), Filter("n > 1").needs({"main": frozenset()}, [("a", "n")])
    ('filter n > 1', [frozenset({'n'})])
    """

    word: ClassVar[str] = "filter"
    form: ClassVar[str] = "filter"
    takes_changes: ClassVar[bool] = True
    operator: ClassVar[str] = "raystream.operators.filter.operator:Filter"

    condition: Expression
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The same columns."""
        from raystream.operators.expressions import condition

        condition(self.condition, inputs[0].columns, "filter")
        return inputs[0]

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns, and those that the condition reads."""
        return [either(wanted["main"], roots(self.condition, inputs[0]))]

    def words(self) -> str:
        """With the condition."""
        return f"filter {self.condition}"

    def label(self) -> tuple[str, str]:
        """With the condition."""
        return "filter", str(self.condition)

    def calls(self) -> tuple[Call, ...]:
        """`.filter(condition)`."""
        return (Call("filter", (self.condition,)),)
