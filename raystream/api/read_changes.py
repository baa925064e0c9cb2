"""A read whose records change rows: its options, and the table that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from raystream.api.arguments import chosen
from raystream.api.expressions import column_name
from raystream.api.names import MAX_LENGTH
from raystream.api.origin import wrong
from raystream.connectors.traits import reads_changes
from raystream.data.changes import ReadChanges
from raystream.graph.logical import Edge
from raystream.operators.latest.step import Latest

if TYPE_CHECKING:
    from raystream.api.pipeline import Pipeline
    from raystream.api.stream import Stream

_SUFFIX = "-table"


def checked_changes(
    changes: str | None, key: str | Sequence[str] | None, source: Any, event_time: Any
) -> tuple[ReadChanges | None, tuple[str, ...]]:
    """How records change rows, and the columns that identify a row.

    Raises:
        ConfigurationError: an option is wrong, or the source or the other options do not fit it.
    """
    if changes is None:
        if key is not None:
            text = "key= of a read is for records that change rows"
            raise wrong(text, 'write changes="upsert", or .key_by(..) behind the read')
        return None, ()
    mode: ReadChanges = chosen(changes, "changes", ReadChanges)
    able = reads_changes(source)
    if mode.value not in able:
        text = f'changes="{mode}": {source.describe()} has no such records'
        other = f"it can be read with changes= {' or '.join(able)}" if able else "leave it out"
        raise wrong(text, other)
    keys = () if key is None else tuple(dict.fromkeys([key] if isinstance(key, str) else key))
    keys = tuple(column_name(each, "key") for each in keys)
    if not keys and mode is not ReadChanges.LOG:
        text = f'changes="{mode}" needs the columns that identify a row'
        raise wrong(text, 'write key="id", or key=["shop", "day"]')
    if not keys and event_time is None:
        text = 'changes="log" without key= needs an event time that is in the row'
        advice = "a row is taken back with its event time, and records have their own: write"
        raise wrong(text, f"{advice} event_time=, or key= if columns identify a row")
    return mode, keys


def table(
    pipeline: Pipeline, read: Edge, keys: tuple[str, ...], name: str | None, width: int | None
) -> Stream:
    """The rows of a read by key, as changes of a table."""
    from raystream.api.keyed import KeyedStream

    named = None if name is None else name[: MAX_LENGTH - len(_SUFFIX)] + _SUFFIX
    edge = pipeline.add(Latest(keys), (read,), name=named, parallelism=width)
    stream = KeyedStream(pipeline, edge, keys)
    stream._dead = (Edge(read.source, "errors"),)
    return stream
