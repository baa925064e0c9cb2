"""One frozen value per verb of the API. Expressions are SQL text, Polars expressions, or callables.

`Any` stands for values of layers above (a Source, a Sink, a pl.Expr): graph imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from raystream.graph.aggregates import Aggregate
from raystream.graph.policies import Emit, ErrorPolicy, OnClose, WatermarkStrategy
from raystream.graph.windows import Window
from raystream.ids import StepName

Expression = Any
"""SQL text (str) or a Polars expression (pl.Expr)."""

RowFunction = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Read:
    """Rows of a source. `source` is a connectors.base.Source.

    Args:
        source: Where from.
        event_time: Column, path into one, or Expression; None: the record's own timestamp.
        schema: Declared schema (data.schema.Schema) or None: learnt once.
        watermark: Per split.
        errors: Policy for records that do not decode or fit.
        event_time_unit: How event time is written: s, ms, us, ns, iso8601.
        time_zone: Of event time written without one (IANA name).
    """

    source: Any
    event_time: Expression | None = None
    schema: Any = None
    watermark: WatermarkStrategy = field(default_factory=WatermarkStrategy)
    errors: ErrorPolicy = ErrorPolicy.FAIL
    event_time_unit: str = "ms"
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows for which `condition` (Expression) is true; `errors`: rows without an answer."""

    condition: Expression
    errors: ErrorPolicy = ErrorPolicy.FAIL


@dataclass(frozen=True, slots=True)
class Select:
    """Only these columns: names (str) or pl.Expr with an output name."""

    columns: tuple[Expression, ...]
    errors: ErrorPolicy = ErrorPolicy.FAIL


@dataclass(frozen=True, slots=True)
class WithColumns:
    """Columns added or replaced: name -> Expression."""

    columns: Mapping[str, Expression]
    errors: ErrorPolicy = ErrorPolicy.FAIL


@dataclass(frozen=True, slots=True)
class Drop:
    """All columns but these names."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Map:
    """dict -> dict, per row.

    Args:
        function: Called with each row.
        schema: Declared output Schema or None (learnt before it runs).
        adds: The function keeps the row and adds just these columns (name -> Polars type, None
            where it is learnt); the plan turns it into `schema`. None: nothing is known.
        errors: Rows for which the function raises, or that do not fit the columns.
    """

    function: RowFunction
    schema: Any = None
    adds: Mapping[str, Any] | None = None
    errors: ErrorPolicy = ErrorPolicy.FAIL


@dataclass(frozen=True, slots=True)
class FlatMap:
    """dict -> iterable of dicts, per row."""

    function: RowFunction
    schema: Any = None
    errors: ErrorPolicy = ErrorPolicy.FAIL


@dataclass(frozen=True, slots=True)
class FilterRows:
    """dict -> bool, per row (the callable form of filter)."""

    function: RowFunction
    errors: ErrorPolicy = ErrorPolicy.FAIL


@dataclass(frozen=True, slots=True)
class MapBatches:
    """Frame -> frame. `batch_format`: polars | pandas | pyarrow (Ray Data's word)."""

    function: Callable[[Any], Any]
    batch_format: str = "polars"
    schema: Any = None
    errors: ErrorPolicy = ErrorPolicy.FAIL


@dataclass(frozen=True, slots=True)
class WithEventTime:
    """Rows get another event time, and watermarks are made from here on, per subtask.

    Args:
        event_time: Column, path into one, or Expression.
        watermark: Strategy; it replaces the one above.
        event_time_unit: As of a Read.
        time_zone: As of a Read.
        errors: Policy for rows without a time.
    """

    event_time: Expression
    watermark: WatermarkStrategy = field(default_factory=WatermarkStrategy)
    event_time_unit: str = "ms"
    time_zone: str | None = None
    errors: ErrorPolicy = ErrorPolicy.FAIL


@dataclass(frozen=True, slots=True)
class Union:
    """Rows of several inputs with equal schemas."""


@dataclass(frozen=True, slots=True)
class KeyBy:
    """The key of the rows: columns that exist, or computed ones (Expression | RowFunction).

    `types`: Polars type of each key that a function computes, as declared or learnt.
    """

    keys: tuple[str, ...]
    computed: Mapping[str, Any] = field(default_factory=dict)
    errors: ErrorPolicy = ErrorPolicy.FAIL
    types: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WindowAggregate:
    """Output columns: keys, window_start, window_end, aggregates and, if early, final.

    `keys` may be empty: one global group, computed by one subtask.
    """

    keys: tuple[str, ...]
    window: Window
    aggregates: Mapping[str, Aggregate]
    emit: Emit = field(default_factory=OnClose)
    allowed_lateness_ms: int = 0
    errors: ErrorPolicy = ErrorPolicy.FAIL


@dataclass(frozen=True, slots=True)
class Write:
    """Rows go to `sink` (a connectors.base.Sink)."""

    sink: Any


@dataclass(frozen=True, slots=True)
class WindowLocal:
    """Partials before the exchange; made by plan/rewrite, never by the user."""

    aggregate: WindowAggregate


@dataclass(frozen=True, slots=True)
class WindowGlobal:
    """Merge after the exchange.

    Args:
        aggregate: What is asked.
        pre_aggregated: The input is partials, not rows.
        columns: Schema of the rows, where it is known; tells what older state must become.
    """

    aggregate: WindowAggregate
    pre_aggregated: bool
    columns: Any = None


@dataclass(frozen=True, slots=True)
class RowFunctions:
    """Neighbouring Map, FlatMap, FilterRows fused by plan/rewrite: converted to dicts once.

    Args:
        functions: In order.
        said: Name and place of each in the user's file, for messages and dead letters; empty
            for one alone, whose name is that of the step.
    """

    functions: tuple[Map | FlatMap | FilterRows, ...]
    said: tuple[tuple[StepName, str], ...] = ()


HasErrors = (
    Read
    | Filter
    | Select
    | WithColumns
    | Map
    | FlatMap
    | FilterRows
    | MapBatches
    | WithEventTime
    | KeyBy
    | WindowAggregate
)
"""Steps with an `errors` policy, whose dead letters are their output `errors`."""

Step = (
    Read
    | Filter
    | Select
    | WithColumns
    | Drop
    | Map
    | FlatMap
    | FilterRows
    | MapBatches
    | WithEventTime
    | Union
    | KeyBy
    | WindowAggregate
    | WindowLocal
    | WindowGlobal
    | RowFunctions
    | Write
)
