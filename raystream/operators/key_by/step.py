"""KeyBy: set the key of the rows; computed keys become columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.ids import StepName
from raystream.operators.call import Call
from raystream.operators.needs import Columns, Needed, every, roots
from raystream.operators.step import Step

if TYPE_CHECKING:
    from raystream.data.changes import Changes
    from raystream.data.schema import Schema
    from raystream.operators.trial import Tried


@dataclass(frozen=True, slots=True)
class KeyBy(Step):
    """The key of the rows: columns that exist, or computed ones (Expression | RowFunction).

    `types`: Polars type of each key that a function computes, as declared or learnt.

    >>> KeyBy(("shop", "day")).words(), KeyBy(()).words()
    ('key by shop, day', 'no key')
    >>> KeyBy(("k",), {"k": len}).untyped()
    True
    """

    word: ClassVar[str] = "key_by"
    form: ClassVar[str] = "key_by"
    takes_changes: ClassVar[bool] = True
    operator: ClassVar[str] = "raystream.operators.key_by.operator:KeyBy"

    keys: tuple[str, ...]
    computed: Mapping[str, Any] = field(default_factory=dict)
    errors: ErrorPolicy = ErrorPolicy.FAIL
    types: Mapping[str, Any] = field(default_factory=dict)

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The columns and the computed keys; open if a function computes one of unknown type."""
        from raystream.operators.key_by.columns import output_schema

        return output_schema(self, inputs[0])

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The key columns."""
        return self.keys

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """The columns that no computed key replaces."""
        return frozenset(names) - self.computed.keys()

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """Rows that differ in the key may go separate ways: it identifies them, too."""
        found = Step.changes(self, inputs)
        if found is None or found.by is None:
            return found
        return type(found)((*found.by, *(key for key in self.keys if key not in found.by)))

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns, the keys, and what computed keys read."""
        main = wanted["main"]
        rest = None if main is None else (main | set(self.keys)) - set(self.computed)
        return [every([rest, *(roots(value, inputs[0]) for value in self.computed.values())])]

    def expand(self, inputs: Sequence[Schema], asked: Collection[str]) -> tuple[Step, ...]:
        """No steps if the plan knows the key and nothing is computed, or checked at run time."""
        from raystream.data.keys import is_canonical

        (schema,) = inputs
        known = not self.computed and not schema.open and "errors" not in asked
        known = known and schema.changes is None
        if known and all(is_canonical(schema.columns[key]) for key in self.keys):
            return ()
        return (self,)

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """The functions that compute a key."""
        return tuple(self.key_functions().values())

    def key_functions(self) -> dict[str, Callable[..., Any]]:
        """The keys that the user's functions compute."""
        return {name: how for name, how in self.computed.items() if is_function(how)}

    def before_functions(self) -> Step | None:
        """The keys that expressions compute."""
        functions = self.key_functions()
        others = {name: how for name, how in self.computed.items() if name not in functions}
        return self.but(keys=tuple(others), computed=others) if others else None

    def untyped(self) -> bool:
        """Whether only a call reveals the type of a key."""
        return not self.key_functions().keys() <= self.types.keys()

    def typed(self, found: Schema) -> Step:
        """Set the types of computed keys that are not declared."""
        return self.but(types={**found.columns, **self.types})

    def given_types(self, name: StepName) -> dict[StepName, Schema]:
        """The types of computed keys."""
        from raystream.data.schema import Schema

        return {name: Schema(self.types)} if self.types else {}

    def tried(self, frame: Any) -> Tried:
        """Each key, row by row."""
        from raystream.operators.key_by.trial import tried_keys

        return tried_keys(self, frame)

    def how_to_declare(self) -> str:
        """By an annotation."""
        return "declare it: annotate what the function returns, as in def key(row) -> str"

    def words(self) -> str:
        """With the keys."""
        return f"key by {', '.join(self.keys)}" if self.keys else "no key"

    def label(self) -> tuple[str, str]:
        """With the keys."""
        return "key", "-".join(self.keys)

    def calls(self) -> tuple[Call, ...]:
        """`.key_by("key", name=..)`."""
        plain = tuple(key for key in self.keys if key not in self.computed)
        return (Call("key_by", plain, self.computed),)


def is_function(how: object) -> bool:
    """Whether this is a function of the user, not an expression.

    >>> is_function(len), is_function("n + 1"), is_function(rs.col("n"))
    (True, False, False)
    """
    return callable(how) and not hasattr(how, "meta")  # a pl.Expr can be called
