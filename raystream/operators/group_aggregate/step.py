"""GroupAggregate: aggregates of a key over all its rows; a stream of changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.aggregates import Aggregate, functions_of
from raystream.graph.policies import ErrorPolicy
from raystream.operators.call import Call, Milliseconds
from raystream.operators.fast_path import FastPath, missed, taken
from raystream.operators.keyed_step import KeyedStep
from raystream.operators.local_step import LocalStep
from raystream.operators.needs import Columns, Needed, every, of_aggregates
from raystream.operators.step import Step
from raystream.operators.words import duration, meaning_of

if TYPE_CHECKING:
    from raystream.data.changes import Changes
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class GroupAggregate(KeyedStep):
    """Output columns: keys and aggregates; each batch updates the row of every key it has.

    `keys` may be empty: one row, computed by one subtask.

    Args:
        keys: Key columns.
        aggregates: Output column -> aggregate.
        ttl_ms: A key without a row for so long in event time is forgotten; None: never.
        errors: Policy for rows that cannot be computed, and for results that do not fit.
        columns: Schema of the rows, set by the plan if it is known.
        takes_back: The rows themselves change earlier ones; set by the plan.
        pre_aggregated: The input is partials, not rows; set by the plan.

    >>> GroupAggregate(("shop",), {"n": rs.count()}, 3_600_000).words()
    'by shop: n = count, ttl 1h'
    """

    word: ClassVar[str] = "group_aggregate"
    form: ClassVar[str] = "aggregate"
    operator: ClassVar[str] = "raystream.operators.group_aggregate.operator:GroupAggregate"
    takes_changes: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True
    calls_cost: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True
    takes_new_aggregates: ClassVar[bool] = False

    keys: tuple[str, ...]
    aggregates: Mapping[str, Aggregate]
    ttl_ms: int | None = None
    errors: ErrorPolicy = ErrorPolicy.FAIL
    columns: Any = None
    takes_back: bool = False
    pre_aggregated: bool = False

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """Those of aggregates of the user."""
        return functions_of(self.aggregates.values())

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """Keys and aggregates."""
        from raystream.operators.group_aggregate.columns import output_schema

        return output_schema(self, inputs[0])

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """Each row replaces the one of its key before."""
        from raystream.data.changes import Changes

        Step.changes(self, inputs)
        return Changes(self.keys)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The keys, and what the aggregates read."""
        read = of_aggregates(self.aggregates.values(), inputs[0])
        return [every([frozenset(self.keys), read])]

    def needs_order(self, asked: Collection[str]) -> bool:
        """For a first, last or collect."""
        return any(aggregate.by_place for aggregate in self.aggregates.values())

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the columns of the rows, and whether they change others."""
        takes_back = inputs[0].changes is not None
        known = None if inputs[0].open else inputs[0].with_changes(None)
        return self.but(columns=known, takes_back=takes_back)

    def expand(self, inputs: Sequence[Schema], asked: Collection[str]) -> tuple[Step, ...]:
        """Partials before the exchange, of rows that change no others."""
        whole = self.but(
            columns=None if inputs[0].open else inputs[0].with_changes(None),
            takes_back=inputs[0].changes is not None,
        )
        if inputs[0].open or inputs[0].changes is not None:
            return (whole,)
        return GroupLocal(self), whole.but(pre_aggregated=True)

    def told_by_rows(self) -> bool:
        """False: columns of partials are hidden."""
        return not self.pre_aggregated

    def meaning(self) -> dict[str, Any]:
        """What it computes, with the types of the key: the owner of a key depends on them."""
        aggregates = meaning_of(self.aggregates)
        found: dict[str, Any] = {"kind": "GroupAggregate", "keys": list(self.keys)}
        found["aggregates"] = aggregates
        found |= {"takes back": True} if self.takes_back else {}
        return found | self.key_types()

    def words(self) -> str:
        """With key and aggregates."""
        columns = ", ".join(f"{name} = {a.title}" for name, a in self.aggregates.items())
        keys = f"by {', '.join(self.keys)}" if self.keys else "of all rows"
        ttl = "" if self.ttl_ms is None else f", ttl {duration(self.ttl_ms)}"
        partials = ", of partial aggregates" * self.pre_aggregated
        return f"{keys}: {columns}{ttl}{partials}"

    def label(self) -> tuple[str, str]:
        """With the key."""
        return "aggregate", "-".join(self.keys)

    def detail(self) -> str:
        """Columns."""
        return repr(sorted(self.aggregates))

    def calls(self) -> tuple[Call, ...]:
        """`.aggregate(..)`."""
        options = {} if self.ttl_ms is None else {"ttl": Milliseconds(self.ttl_ms)}
        return (Call("aggregate", (), options, self.aggregates),)


@dataclass(frozen=True, slots=True)
class GroupLocal(LocalStep):
    """Partials before the exchange; added by the plan, never by the user.

    >>> GroupLocal(GroupAggregate((), {"n": rs.count()})).words()
    'partial aggregates'
    """

    word: ClassVar[str] = "group_local"
    operator: ClassVar[str] = "raystream.operators.group_aggregate.local:GroupLocal"

    aggregate: GroupAggregate

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The key columns; everything else is hidden."""
        from raystream.operators.window.columns import only_keys

        self.aggregate.columns_behind(inputs)
        return only_keys(self.aggregate.keys, inputs[0])

    def fast_paths(self) -> tuple[FastPath, ...]:
        """Few rows are sent, if keys repeat; an aggregate of the user is a Python function."""
        if self.aggregate.user_functions():
            return missed("an aggregate of your own is called with Python for its rows")
        return taken("aggregated in front of the exchange, where keys repeat")

    def meaning(self) -> dict[str, Any]:
        """As the whole."""
        return {**self.aggregate.meaning(), "kind": "GroupLocal"}
