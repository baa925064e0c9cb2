"""Select: only these columns, by name, or computed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.operators.call import Call
from raystream.operators.needs import Columns, Needed, either, every, roots
from raystream.operators.step import Expression, Step
from raystream.operators.words import column, copied

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Select(Step):
    """Only these columns: names (str) or pl.Expr with an output name, then the computed ones.

    >>> Select(("a", (rs.col("n") * 2).alias("b")), computed={"c": "n + 1"}).label()
    ('select', 'a-b-c')
    """

    word: ClassVar[str] = "select"
    form: ClassVar[str] = "select"
    takes_changes: ClassVar[bool] = True
    operator: ClassVar[str] = "raystream.operators.select.operator:Select"

    columns: tuple[Expression, ...]
    errors: ErrorPolicy = ErrorPolicy.FAIL
    computed: Mapping[str, Expression] = field(default_factory=dict)

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The chosen columns."""
        from raystream.operators.select.columns import output_schema

        return output_schema(self, inputs[0])

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The key, if all of its columns are selected."""
        key, plain = inputs[0].key, [each for each in self.columns if not _is_several(each)]
        if len(plain) < len(self.columns):  # checked downstream
            return key
        return key if set(key) <= {*map(column, plain), *self.computed} else ()

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """The columns that are selected by name."""
        return frozenset(name for name, old in self.copies(names).items() if name == old)

    def copies(self, names: Collection[str]) -> dict[str, str]:
        """Those that are nothing but a column, under whatever name."""
        plain = {column(each): copied(each) for each in self.columns if not _is_several(each)}
        same = {**plain, **{name: copied(each) for name, each in self.computed.items()}}
        return {name: old for name, old in same.items() if old is not None and old in names}

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """What the columns read, requested or not."""
        read = (frozenset([c]) if isinstance(c, str) else roots(c) for c in self.columns)
        computed = (roots(value, inputs[0]) for value in self.computed.values())
        return [either(every(read), every(computed))]

    def words(self) -> str:
        """With the columns."""
        computed = (f"{name} = {value}" for name, value in self.computed.items())
        return f"select {', '.join([*map(str, self.columns), *computed])}"

    def label(self) -> tuple[str, str]:
        """With the names of the columns."""
        return "select", "-".join([*map(column, self.columns), *self.computed])

    def calls(self) -> tuple[Call, ...]:
        """`.select("name", other=..)`."""
        return (Call("select", self.columns, columns=self.computed or None),)


def _is_several(written: Expression) -> bool:
    """Whether this is an expression of several columns, such as pl.all()."""
    meta = getattr(written, "meta", None)
    return meta is not None and bool(meta.has_multiple_outputs())
