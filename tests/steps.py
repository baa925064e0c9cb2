"""The steps of every verb, by the names of their classes, and what tests ask of them."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.data.schema import Schema
from raystream.operators.asof_join.step import AsofJoin
from raystream.operators.dedupe.step import Dedupe
from raystream.operators.drop.step import Drop
from raystream.operators.filter.step import Filter
from raystream.operators.global_window.step import GlobalAggregate
from raystream.operators.group_aggregate.step import GroupAggregate, GroupLocal
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
from raystream.operators.rows.step import FilterRows, FlatMap, Map, RowFunctions
from raystream.operators.select.step import Select
from raystream.operators.session.step import SessionAggregate
from raystream.operators.split.step import Split
from raystream.operators.step import Step
from raystream.operators.top.step import Order, Top
from raystream.operators.union.step import Union
from raystream.operators.window.step import (
    WindowAggregate,
    WindowGlobal,
    WindowLocal,
    WindowUpdates,
)
from raystream.operators.window_apply.step import WindowApply
from raystream.operators.window_join.step import WindowJoin
from raystream.operators.window_reduce.step import WindowReduce
from raystream.operators.window_top.step import WindowTop
from raystream.operators.with_columns.step import WithColumns
from raystream.operators.with_event_time.step import WithEventTime
from raystream.operators.with_processing_time.step import WithProcessingTime
from raystream.operators.write.step import Write

__all__ = [
    "AsofJoin",
    "Dedupe",
    "Drop",
    "Filter",
    "FilterRows",
    "FlatMap",
    "Inspect",
    "GlobalAggregate",
    "GroupAggregate",
    "GroupLocal",
    "IntervalJoin",
    "Join",
    "KeyBy",
    "Lookup",
    "Map",
    "MapBatches",
    "Process",
    "ProcessWith",
    "Order",
    "Over",
    "Read",
    "Reduce",
    "Rename",
    "RowFunctions",
    "Select",
    "SessionAggregate",
    "Split",
    "Step",
    "Top",
    "Union",
    "WindowAggregate",
    "WindowApply",
    "WindowGlobal",
    "WindowJoin",
    "WindowLocal",
    "WindowReduce",
    "WindowTop",
    "WindowUpdates",
    "WithColumns",
    "WithEventTime",
    "WithProcessingTime",
    "Write",
    "output_schema",
]


def output_schema(step: Step, inputs: Sequence[Schema]) -> Schema:
    """Columns of the main output."""
    return step.outputs(inputs)["main"]
