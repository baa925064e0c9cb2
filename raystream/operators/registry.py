"""Registry of verbs: ours, and those of other packages, by entry points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from raystream import entry_points
from raystream.operators.asof_join.step import AsofJoin
from raystream.operators.dedupe.step import Dedupe
from raystream.operators.drop.step import Drop
from raystream.operators.filter.step import Filter
from raystream.operators.global_window.step import GlobalAggregate
from raystream.operators.group_aggregate.step import GroupAggregate
from raystream.operators.inspect.step import Inspect
from raystream.operators.interval_join.step import IntervalJoin
from raystream.operators.join.step import Join
from raystream.operators.key_by.step import KeyBy
from raystream.operators.lookup.step import Lookup
from raystream.operators.map_batches.step import MapBatches
from raystream.operators.over.step import Over
from raystream.operators.process.step import Process
from raystream.operators.process_with.step import ProcessWith
from raystream.operators.read.step import Read
from raystream.operators.reduce.step import Reduce
from raystream.operators.rename.step import Rename
from raystream.operators.rows.step import FilterRows, FlatMap, Map
from raystream.operators.select.step import Select
from raystream.operators.session.step import SessionAggregate
from raystream.operators.split.step import Split
from raystream.operators.step import Step
from raystream.operators.top.step import Top
from raystream.operators.union.step import Union
from raystream.operators.window.step import WindowAggregate
from raystream.operators.window_apply.step import WindowApply
from raystream.operators.window_join.step import WindowJoin
from raystream.operators.window_reduce.step import WindowReduce
from raystream.operators.window_top.step import WindowTop
from raystream.operators.with_columns.step import WithColumns
from raystream.operators.with_event_time.step import WithEventTime
from raystream.operators.with_processing_time.step import WithProcessingTime
from raystream.operators.write.step import Write

OURS: tuple[type[Step], ...] = (
    Read,
    Filter,
    FilterRows,
    Select,
    WithColumns,
    Drop,
    Rename,
    Dedupe,
    Map,
    FlatMap,
    MapBatches,
    Inspect,
    Split,
    Process,
    ProcessWith,
    WithEventTime,
    WithProcessingTime,
    Union,
    AsofJoin,
    IntervalJoin,
    Join,
    Lookup,
    WindowJoin,
    KeyBy,
    WindowAggregate,
    GroupAggregate,
    SessionAggregate,
    GlobalAggregate,
    WindowApply,
    WindowReduce,
    WindowTop,
    Reduce,
    Over,
    Top,
    Write,
)


def formless() -> list[str]:
    """Verbs without their own form in pipeline files: their fields are the form."""
    return [word for word, step in verbs().items() if not step.form]


@cache
def verbs() -> Mapping[str, type[Step]]:
    """Every verb that users can call, by its word.

    Raises:
        ConfigurationError: an entry point cannot be loaded, is not a Step, or duplicates a word.

    >>> verbs()["filter"].__name__
    'Filter'
    """
    found = {step.word: step for step in OURS}
    others = entry_points.load(entry_points.VERBS, "verb", found, _is_verb)
    return {**found, **{step.word: step for step in others.values()}}


def _is_verb(found: type) -> bool:
    return issubclass(found, Step) and bool(found.word)
