"""Undeclared columns: from the job's last checkpoint, else from the first records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raystream.api.jobs.progress import patiently
from raystream.graph.logical import LogicalGraph, Node

if TYPE_CHECKING:
    import polars as pl

    from raystream.checkpoint.records import Checkpoint, Restore
    from raystream.data.schema import Schema
    from raystream.storage.base import Store

LOOK_SECONDS = 1.0
"""Pause between two polls of a source that has no records yet."""


def newest_base(store: Store) -> Checkpoint | Restore | None:
    """What the job would continue from.

    Raises:
        StorageError: the newest record is damaged.
    """
    from raystream.checkpoint.codec import decode
    from raystream.checkpoint.keys import SLOTS, slot_key
    from raystream.checkpoint.records import Checkpoint, Restore, Rollback

    keys = store.list(SLOTS)
    while keys:
        key = keys.pop()
        data = store.get(key)
        record = decode(key, data) if data is not None else None
        if isinstance(record, Checkpoint | Restore):
            return record
        if isinstance(record, Rollback):
            keys = [k for k in keys if record.base is not None and k <= slot_key(record.base)]
    return None


def learn_schemas(
    reads: Sequence[Node],
    known: Mapping[str, Schema],
    *,
    bounded: bool,
    say: Callable[[str], None],
    wait: Callable[[float], None],
) -> dict[str, Schema]:
    """Columns of each read; no entry for an empty bounded source.

    Args:
        reads: Reads whose columns are not declared.
        known: Columns in the last checkpoint, by step name.
        bounded: Accept an empty source; else wait for its first records.
        say: Receives messages about what is waited for.
        wait: Sleeps for some seconds.

    Raises:
        NoColumns: there are records, but none of them yields columns; an unbounded run that does
            not fail on bad records waits for better ones.
    """
    found = {node.name: known[node.name] for node in reads if node.name in known}
    for node in reads:
        if node.name in found:
            continue
        step: Any = node.step
        with patiently(f"waiting for an answer from {step.source.describe()}"):
            schema = _look(step, bounded=bounded)
        if schema is None and not bounded:
            schema = _wait_for(step, say, wait)
        if schema is not None:
            found[node.name] = schema
    return found


def learn_types(
    graph: LogicalGraph, reads: Mapping[str, Schema], header: Mapping[str, Any], *, bounded: bool
) -> dict[str, Schema]:
    """Column types returned by functions without declared columns, by step: kept, else learnt.

    Args:
        graph: What is to run.
        reads: Columns of each read that are not declared.
        header: Job header of the last checkpoint; empty if there is none.
        bounded: The run ends with what is there now; without rows no types are needed.

    Raises:
        ConfigurationError: a function returns nothing that yields columns.
    """
    from raystream.plan.learning import learn_functions
    from raystream.plan.planner import used
    from raystream.plan.restore import types_of

    def rows_of(node: Node) -> pl.DataFrame | None:
        return _first_rows(node, graph.name)

    known = types_of(header)
    return learn_functions(used(graph), reads, known, rows_of, strict=not bounded)


def _first_rows(node: Node, job: str) -> pl.DataFrame | None:
    from raystream.api.samples.sample_read import first_rows
    from raystream.plan.changes import read_options

    step: Any = node.step
    if step.schema.open:
        return None
    with patiently(f"waiting for an answer from {step.source.describe()}"):
        return first_rows(step, read_options(step, step.schema), job, node.name)


def _look(step: Any, *, bounded: bool) -> Schema | None:
    """Columns, None while there are none; waits past bad records only if the policy allows them."""
    from raystream.data.inference import NoColumns
    from raystream.graph.policies import ErrorPolicy

    try:
        learnt: Schema | None = step.source.learn()
    except NoColumns:
        if bounded or step.errors is ErrorPolicy.FAIL:
            raise
        return None
    return None if learnt is None else step.learnt(learnt)


def _wait_for(step: Any, say: Callable[[str], None], wait: Callable[[float], None]) -> Schema:
    text = f"waiting for the first record of {step.source.describe()}"
    say(f"{text}: its columns are not declared")
    while True:
        wait(LOOK_SECONDS)
        schema = _look(step, bounded=False)
        if schema is not None:
            return schema
