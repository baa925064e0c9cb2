"""Top: the first rows of each key in an order; a stream of changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import Call, Milliseconds
from raystream.operators.keyed_step import KeyedStep
from raystream.operators.needs import Columns, Needed, either
from raystream.operators.step import Step
from raystream.operators.words import duration

if TYPE_CHECKING:
    from raystream.data.changes import Changes
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Order:
    """A column to order by; nulls come last."""

    column: str
    descending: bool = True

    def __str__(self) -> str:
        """`price desc`."""
        return f"{self.column} {'desc' if self.descending else 'asc'}"


@dataclass(frozen=True, slots=True)
class Top(KeyedStep):
    """The first `number` rows of each key; of equal ones those that came first.

    Args:
        keys: Key columns; none: of all rows.
        number: How many rows.
        by: The order.
        rank: Output column with the place of a row, from 1; None: no such column.
        ttl_ms: A key without a row for so long in event time is forgotten; None: never.
        latest: By event time, the latest first, instead of `by`; of equal ones the last.
        columns: Schema of the rows, set by the plan if it is known.
        takes_back: The rows themselves change earlier ones; set by the plan.

    >>> Top(("shop",), 3, (Order("price"),), "rank").words()
    'first 3 of each shop by price desc, with rank'
    """

    word: ClassVar[str] = "top"
    form: ClassVar[str] = "top"
    operator: ClassVar[str] = "raystream.operators.top.operator:Top"
    takes_changes: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True
    calls_cost: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True

    keys: tuple[str, ...]
    number: int
    by: tuple[Order, ...]
    rank: str | None = None
    ttl_ms: int | None = None
    latest: bool = False
    columns: Any = None
    takes_back: bool = False

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The columns of the input, and the rank."""
        from raystream.operators.top.columns import output_schema

        return output_schema(self, inputs[0])

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """That of the input."""
        return inputs[0].key

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """A place of a key has one row; without ranks only if there is just one place."""
        from raystream.data.changes import Changes

        Step.changes(self, inputs)
        if self.rank is not None:
            return Changes((*self.keys, self.rank))
        return Changes(self.keys if self.number == 1 else None)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns, the keys, and the order."""
        main = wanted["main"]
        rest = None if main is None else main - {self.rank}
        return [either(rest, frozenset([*self.keys, *(each.column for each in self.by)]))]

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the columns of the rows, and whether they change others."""
        known = None if inputs[0].open else inputs[0].with_changes(None)
        return self.but(columns=known, takes_back=inputs[0].changes is not None)

    def meaning(self) -> dict[str, Any]:
        """What it keeps, with the types of the key: the owner of a key depends on them."""
        found: dict[str, Any] = {"kind": "Top", "keys": list(self.keys), "number": self.number}
        found |= {"by": [str(each) for each in self.by], "latest": self.latest}
        found |= {"takes back": True} if self.takes_back else {}
        return found | self.key_types()

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def words(self) -> str:
        """With number, key and order."""
        keys = f" of each {', '.join(self.keys)}" if self.keys else ""
        order = "event time desc" if self.latest else ", ".join(map(str, self.by))
        rank = "" if self.rank is None else f", with {self.rank}"
        ttl = "" if self.ttl_ms is None else f", ttl {duration(self.ttl_ms)}"
        return f"first {self.number}{keys} by {order}{rank}{ttl}"

    def label(self) -> tuple[str, str]:
        """With number and key."""
        return "top", "-".join([str(self.number), *self.keys])

    def detail(self) -> str:
        """The order."""
        return repr(self.by)

    def calls(self) -> tuple[Call, ...]:
        """`.top(3, by=["price desc"])`."""
        options: dict[str, Any] = {"by": [str(each) for each in self.by]}
        options |= {} if self.rank is None else {"rank": self.rank}
        options |= {} if self.ttl_ms is None else {"ttl": Milliseconds(self.ttl_ms)}
        return (Call("top", (self.number,), options),)
