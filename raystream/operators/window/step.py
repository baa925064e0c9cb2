"""WindowAggregate: aggregates by window and key; and the two steps it expands to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.aggregates import Aggregate, functions_of
from raystream.graph.policies import Early, Emit, ErrorPolicy, OnClose, OnUpdate
from raystream.graph.windows import Window
from raystream.operators.call import Call, Milliseconds
from raystream.operators.fast_path import FastPath, missed, taken
from raystream.operators.local_step import LocalStep
from raystream.operators.needs import Columns, Needed, every, of_aggregates
from raystream.operators.step import Step
from raystream.operators.window.words import label_of, window_words
from raystream.operators.words import meaning_of

if TYPE_CHECKING:
    from raystream.data.changes import Changes
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class WindowAggregate(Step):
    """Output columns: keys, window_start, window_end, aggregates and, if early, final.

    `keys` may be empty: one global group, computed by one subtask.

    >>> WindowAggregate(("ip",), rs.tumbling("1m"), {"n": rs.count()}).words()
    'tumbling 1m by ip: n = count'
    """

    word: ClassVar[str] = "window_aggregate"
    form: ClassVar[str] = "aggregate"
    keeps_state: ClassVar[bool] = True
    calls_cost: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True
    side_tags: ClassVar[tuple[str, ...]] = ("late",)

    keys: tuple[str, ...]
    window: Window
    aggregates: Mapping[str, Aggregate]
    emit: Emit = field(default_factory=OnClose)
    allowed_lateness_ms: int = 0
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """Those of aggregates of the user."""
        return functions_of(self.aggregates.values())

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """Keys, bounds of the window, aggregates."""
        from raystream.operators.window.columns import output_schema

        return output_schema(self, inputs[0])

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The key of the window."""
        return self.keys

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """On update the row of a window replaces the one before."""
        from raystream.data.changes import Changes

        found = Step.changes(self, inputs)
        updates = isinstance(self.emit, OnUpdate)
        return Changes((*self.keys, "window_start", "window_end")) if updates else found

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The keys, what the aggregates read, and what is requested of late rows."""
        read = of_aggregates(self.aggregates.values(), inputs[0])
        return [every([wanted["late"], frozenset(self.keys), read])]

    def needs_order(self, asked: Collection[str]) -> bool:
        """For a first, last or collect; also if late rows need it."""
        return "late" in asked or any(each.by_place for each in self.aggregates.values())

    def width(self, asked: int | None, default: int, inputs: Sequence[int], cap: int | None) -> int:
        """Only one subtask if there is no key."""
        return (asked or default) if self.keys else 1

    def alone(self) -> Step:
        """Merge rows directly."""
        return self._merging(pre_aggregated=False, columns=None)

    def expand(self, inputs: Sequence[Schema], asked: Collection[str]) -> tuple[Step, ...]:
        """Partials before the exchange; unless late rows are consumed, which need whole rows."""
        whole = "late" in asked
        columns = None if inputs[0].open else inputs[0]
        merge = self._merging(pre_aggregated=not whole, columns=columns)
        return (merge,) if whole else (WindowLocal(self), merge)

    def _merging(self, *, pre_aggregated: bool, columns: Schema | None) -> WindowGlobal:
        kind = WindowUpdates if isinstance(self.emit, OnUpdate) else WindowGlobal
        return kind(self, pre_aggregated, columns)

    def gives_again(self) -> bool:
        """A late row emits its window again."""
        return bool(self.allowed_lateness_ms) and not isinstance(self.emit, OnUpdate)

    def meaning(self) -> dict[str, Any]:
        """What it computes."""
        aggregates = meaning_of(self.aggregates)
        return {"keys": list(self.keys), "window": str(self.window), "aggregates": aggregates}

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
        options: dict[str, Any] = {}
        if self.allowed_lateness_ms:
            options["allowed_lateness"] = Milliseconds(self.allowed_lateness_ms)
        if isinstance(self.emit, Early):
            options["emit"] = self.emit
        if isinstance(self.emit, OnUpdate):
            options["emit"] = "on_update"
        return Call("window", (self.window,), options), Call("agg", columns=self.aggregates)


@dataclass(frozen=True, slots=True)
class WindowLocal(LocalStep):
    """Partials before the exchange; added by the plan, never by the user.

    >>> WindowLocal(WindowAggregate((), rs.tumbling("1m"), {"n": rs.count()})).words()
    'partial aggregates'
    """

    word: ClassVar[str] = "window_local"
    operator: ClassVar[str] = "raystream.operators.window.local:WindowLocal"

    aggregate: WindowAggregate

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The key columns; everything else is hidden."""
        from raystream.operators.window.columns import local_schema

        return local_schema(self.aggregate, inputs[0])

    def meaning(self) -> dict[str, Any]:
        """As the whole."""
        return {"kind": "WindowLocal", **self.aggregate.meaning()}

    def fast_paths(self) -> tuple[FastPath, ...]:
        """Few rows are sent; but an aggregate of the user is a Python function."""
        if functions_of(self.aggregate.aggregates.values()):
            return missed("an aggregate of your own is called with Python for its rows")
        return taken("aggregated in front of the exchange")


@dataclass(frozen=True, slots=True)
class WindowGlobal(Step):
    """Merge after the exchange.

    Args:
        aggregate: The aggregation.
        pre_aggregated: The input is partials, not rows.
        columns: Schema of the rows, if known; older state is converted to it.

    >>> asked = WindowAggregate((), rs.tumbling("1m"), {"n": rs.count()})
    >>> WindowGlobal(asked, pre_aggregated=True).words()
    'tumbling 1m: n = count, of partial aggregates'
    """

    word: ClassVar[str] = "window_global"
    operator: ClassVar[str] = "raystream.operators.window.operator:WindowGlobal"
    keeps_state: ClassVar[bool] = True
    calls_cost: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False

    aggregate: WindowAggregate
    pre_aggregated: bool
    columns: Any = None

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """As the whole."""
        return self.aggregate.user_functions()

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """As the whole aggregation, whose input has these columns."""
        return self.aggregate.columns_behind(inputs)

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """That of the window."""
        return self.aggregate.keys

    def routing(self, port: int) -> tuple[str, ...] | None:
        """By key; without one all rows go to one subtask."""
        return self.aggregate.keys

    def needs_order(self, asked: Collection[str]) -> bool:
        """As the whole."""
        return self.aggregate.needs_order(asked)

    def fast_paths(self) -> tuple[FastPath, ...]:
        """Whole rows are sent if late ones are wanted."""
        if self.pre_aggregated:
            return ()
        return missed("whole rows go through the exchange, because `.late` is read")

    def told_by_rows(self) -> bool:
        """False: columns of partials are hidden."""
        return not self.pre_aggregated

    def meaning(self) -> dict[str, Any]:
        """As the whole, with the types of the key: the owner of a key depends on them."""
        kind = type(self).__name__
        return {"kind": kind, **self.aggregate.meaning(), **self._key_types()}

    def _key_types(self) -> dict[str, Any]:
        """Missing in checkpoints of older raystreams."""
        columns, keys = self.columns, self.aggregate.keys
        if columns is None or columns.open or not set(keys) <= set(columns.columns):
            return {}
        return {"key types": {key: str(columns.columns[key]) for key in keys}}

    def words(self) -> str:
        """As the whole, and what it merges."""
        return self.aggregate.words() + (", of partial aggregates" if self.pre_aggregated else "")


@dataclass(frozen=True, slots=True)
class WindowUpdates(WindowGlobal):
    """Merge after the exchange, where every batch changes the rows of its windows.

    >>> asked = WindowAggregate((), rs.tumbling("1m"), {"n": rs.count()}, OnUpdate())
    >>> asked.alone().word
    'window_updates'
    """

    word: ClassVar[str] = "window_updates"
    operator: ClassVar[str] = "raystream.operators.window.updates:WindowUpdates"
    calls_cost: ClassVar[bool] = True

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """As the whole."""
        return self.aggregate.changes(inputs)
