"""GlobalAggregate: aggregates over windows that event time does not bound."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.aggregates import Aggregate, functions_of
from raystream.graph.policies import ErrorPolicy
from raystream.graph.windows import CountWindow, GlobalWindow
from raystream.operators.call import Call
from raystream.operators.keyed_step import KeyedStep
from raystream.operators.needs import Columns, Needed, every, of_aggregates
from raystream.operators.window.words import label_of, window_words
from raystream.operators.words import meaning_of

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class GlobalAggregate(KeyedStep):
    """Output columns: keys, window_start, window_end (event times of its rows), aggregates.

    `keys` may be empty: one window of all rows, computed by one subtask.

    Args:
        keys: Key columns.
        window: Which rows belong together, and when they are emitted.
        aggregates: Output column -> aggregate.
        errors: Policy for rows that cannot be computed, and for results that do not fit.
        columns: Schema of the rows, set by the plan if it is known.

    >>> GlobalAggregate(("user",), rs.count_window(100), {"n": rs.count()}).words()
    'every 100 rows by user: n = count'
    """

    word: ClassVar[str] = "global_aggregate"
    form: ClassVar[str] = "aggregate"
    operator: ClassVar[str] = "raystream.operators.global_window.operator:GlobalAggregate"
    keeps_state: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True
    calls_cost: ClassVar[bool] = True

    keys: tuple[str, ...]
    window: CountWindow | GlobalWindow
    aggregates: Mapping[str, Aggregate]
    errors: ErrorPolicy = ErrorPolicy.FAIL
    columns: Any = None

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """Those of aggregates of the user."""
        return functions_of(self.aggregates.values())

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """Keys, event times of the rows, aggregates."""
        from raystream.operators.global_window.columns import output_schema

        return output_schema(self, inputs[0])

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The keys, and what the aggregates read."""
        read = of_aggregates(self.aggregates.values(), inputs[0])
        return [every([frozenset(self.keys), read])]

    def needs_order(self, asked: Collection[str]) -> bool:
        """For a first, last or collect."""
        return any(aggregate.by_place for aggregate in self.aggregates.values())

    def meaning(self) -> dict[str, Any]:
        """What it computes, with the types of the key: the owner of a key depends on them."""
        found: dict[str, Any] = {"kind": "GlobalAggregate", "keys": list(self.keys)}
        found |= {"window": str(self.window), "aggregates": meaning_of(self.aggregates)}
        return found | self.key_types()

    def words(self) -> str:
        """With window, key and aggregates."""
        columns = ", ".join(f"{name} = {a.title}" for name, a in self.aggregates.items())
        return f"{window_words(self.window, self.keys)}: {columns}"

    def label(self) -> tuple[str, str]:
        """With window and key."""
        return label_of(self.window), "-".join(self.keys)

    def detail(self) -> str:
        """Window and columns."""
        return repr((self.window, sorted(self.aggregates)))

    def calls(self) -> tuple[Call, ...]:
        """`.window(..)`, `.agg(..)`."""
        return Call("window", (self.window,)), Call("agg", columns=self.aggregates)
