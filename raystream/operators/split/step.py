"""Split: each row goes to the first branch whose condition it meets, the rest goes on."""

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
class Split(Step):
    """Rows by condition: every row is in exactly one output.

    Args:
        branches: Tag -> condition (Expression), asked in this order; null is not true.
        errors: Rows that cannot be computed. A condition that is not reached cannot fail.

    >>> Split({"web": "kind = 'web'", "big": "n > 9"}).words()
    "split web: kind = 'web', big: n > 9"
    """

    word: ClassVar[str] = "split"
    form: ClassVar[str] = "split"
    operator: ClassVar[str] = "raystream.operators.split.operator:Split"

    branches: Mapping[str, Expression]
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def tags(self) -> tuple[str, ...]:
        """The branches."""
        return tuple(self.branches)

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The same columns, in each output."""
        from raystream.operators.split.columns import conditions_of

        conditions_of(self, inputs[0].columns)
        return inputs[0]

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns of all outputs, and those that the conditions read."""
        needed: Needed = frozenset()
        for condition in self.branches.values():
            needed = either(needed, roots(condition, inputs[0]))
        for tag in ("main", *self.branches):
            needed = either(wanted.get(tag, frozenset()), needed)
        return [needed]

    def needs_order(self, asked: Collection[str]) -> bool:
        """If one of its outputs does."""
        return bool(set(asked) & {"main", *self.branches})

    def words(self) -> str:
        """With the conditions."""
        return "split " + ", ".join(f"{tag}: {each}" for tag, each in self.branches.items())

    def label(self) -> tuple[str, str]:
        """With the branches."""
        return "split", "-".join(self.branches)

    def detail(self) -> str:
        """The conditions."""
        return repr([(tag, str(each)) for tag, each in self.branches.items()])

    def calls(self) -> tuple[Call, ...]:
        """`.split(web="kind = 'web'")`."""
        return (Call("split", columns=dict(self.branches)),)
