"""Rows that change earlier ones at sources and sinks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from raystream.connectors.base import ReadOptions, WriteOptions
from raystream.connectors.traits import own_key, takes_upserts
from raystream.data.changes import OP, ChangesMode
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.operators.step import Step


def check_written(step: Step, schema: Schema) -> None:
    """Refuse rows that this write cannot write.

    Raises:
        ConfigurationError: changes without `changes=`, or by a mode that does not fit; or
            `changes=` for rows that are only added.
    """
    if schema.changes is None:
        if step.written is not None:
            what = (
                f"changes={step.written.value!r}: these rows are only added, none changes another"
            )
            raise ConfigurationError(what, what_to_do="leave changes= out")
        return
    if step.written is None:
        raise _not_said(step)
    if step.written is ChangesMode.UPSERT:
        _check_upserts(step, schema)
    elif OP in schema.columns:
        what = f'changes="log" writes a column {OP!r}, and the rows have one already'
        raise ConfigurationError(what, what_to_do="give theirs another name")


def read_options(step: Any, columns: Schema) -> ReadOptions:
    """What the reader of this step gets, to read these columns."""
    time = None if step.event_time is None else str(step.event_time)
    keys = () if step.changed is None else step.keys
    return ReadOptions(columns, time, changes=step.changed, key=keys)


def write_options(step: Step, schema: Schema) -> WriteOptions:
    """What the writer of this step gets."""
    upserts = step.written is ChangesMode.UPSERT
    if step.written is ChangesMode.LOG and not schema.open:
        columns = {OP: pl.String(), **schema.columns}
        schema = Schema(columns, schema.required | {OP}, schema.key)
    return WriteOptions(schema, upserts=upserts)


def message_columns(sink: object, key: Sequence[str]) -> tuple[str, ...]:
    """Columns by which a sink tells the rows apart that are set and removed."""
    own = own_key(sink)
    return tuple(key) if own is None else (own,)


def _not_said(step: Step) -> ConfigurationError:
    what = f"{step.sink.describe()} takes rows that are only added; these rows change earlier ones"
    advice = (
        'write changes="upsert" (the last row of each key, a delete without a value) or '
        'changes="log" (every change, with its kind in a column "op")'
    )
    if not takes_upserts(step.sink):
        advice = 'write changes="log": every change is a row, with its kind in a column "op"'
    return ConfigurationError(what, what_to_do=advice)


def _check_upserts(step: Step, schema: Schema) -> None:
    if not takes_upserts(step.sink):
        what = f'changes="upsert": {step.sink.describe()} cannot replace rows'
        raise ConfigurationError(what, what_to_do='write changes="log"')
    assert schema.changes is not None
    by, key = schema.changes.by, message_columns(step.sink, schema.key)
    if by is None:
        what = 'changes="upsert": no columns identify the rows any more'
        advice = (
            "keep the key of the step that made them (with_columns and select keep it, map does"
            " not; rows of a join have one if those of both inputs do, as behind"
            ' .dedupe(.., keep="last")), or write changes="log"'
        )
        raise ConfigurationError(what, what_to_do=advice)
    if key and set(by) <= set(key):
        return
    if not by:
        what = 'changes="upsert" needs a key, and this is one row of all rows, without a key'
        advice = 'add one with .key_by(all=rs.lit("all")), or write changes="log"'
        raise ConfigurationError(what, what_to_do=advice)
    named = ", ".join(by)
    what = f'changes="upsert" by {", ".join(key) or "no key"}: rows are identified by {named}'
    raise ConfigurationError(
        what, what_to_do=f'write .key_by("{by[0]}", ..): the key must hold {named}'
    )
