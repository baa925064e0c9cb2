"""A checked document -> the Pipeline that Python would have built, with places for its lines."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raystream.api.pipeline import Pipeline
from raystream.api.stream import Stream
from raystream.config.check import Value
from raystream.config.ends import Ends, sink_in, source_in
from raystream.config.notes import NotBuilt, Notes
from raystream.config.references import named, side_outputs, side_sinks, tagged
from raystream.config.step_calls import (
    Surroundings,
    built,
    look_at,
    options_of,
    policy,
    watermark,
)

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Compiled:
    """A pipeline file, ready.

    Args:
        pipeline: As Python would have built it.
        document: As it was checked.
        sources: Name in the file -> name of its step.
        sinks: Name in the file -> name of its step.
    """

    pipeline: Pipeline
    document: Value
    sources: Mapping[str, str]
    sinks: Mapping[str, str]


def compile_document(document: Value, *, to_run: bool = True) -> Compiled:
    """Build the pipeline of a document.

    Args:
        document: Checked, without a mistake.
        to_run: Load what only a run needs, too.

    Raises:
        InvalidFile: columns that do not exist, options that do not fit together.
    """
    return _Compiler(document, to_run=to_run).compile()


class _Compiler:
    def __init__(self, document: Value, *, to_run: bool) -> None:
        self._document = document
        self._notes = Notes()
        self._attempt, self._noting = self._notes.attempt, self._notes.noting
        connections = document.get("connections")
        self._ends = Ends(connections.data if connections is not None else {}, to_run=to_run)
        self._streams: dict[str, Stream | None] = {}
        directory = os.path.dirname(document.place.file)
        self._around = Surroundings(directory, self._notes, self._streams)
        self._last: Stream | None = None
        self._side = side_sinks(document)
        self._sinks = named(document, "sinks")
        self._nodes: dict[str, int] = {}

    def compile(self) -> Compiled:
        pipeline = self._built()
        self._notes.raise_if_any()
        names = self._attempt(self._final_names, pipeline)
        self._notes.raise_if_any()
        found = {name: names[node] for name, node in self._nodes.items()}
        sources = {name: found[name] for name in named(self._document, "sources")}
        sinks = {name: found[name] for name in self._sinks}
        return Compiled(pipeline, self._document, sources, sinks)

    def _final_names(self, pipeline: Pipeline) -> dict[int, str]:
        """Names of the steps by number; with declared columns the whole is planned, too."""
        with self._noting(self._document):
            if any("schema" in s.data for s in named(self._document, "sources").values()):
                pipeline.plan()
            return {node.id: node.name for node in pipeline.graph().nodes}

    def _built(self) -> Pipeline:
        self._pipeline = self._new_pipeline()
        for name, value in named(self._document, "sources").items():
            self._last = self._streams[name] = self._attempt(self._source, name, value)
        steps = self._document.get("steps")
        for step in steps.data if steps is not None else []:
            self._last = self._attempt(self._step, step) or self._kept(step)
            if step.get("name") is not None:
                self._streams[step["name"].data] = self._last
            for name in tagged(step):
                self._streams.setdefault(name, None)
        for name, value in self._sinks.items():
            if name not in self._side:
                self._attempt(self._sink, name, value, self._from(value))
        return self._pipeline

    def _kept(self, step: Value) -> Stream | None:
        """Behind a filter that failed the columns are known all the same."""
        return self._from(step) if step.get("filter") is not None else None

    def _new_pipeline(self) -> Pipeline:
        document = self._document
        options: dict[str, Any] = {}
        if document.get("delivery_guarantee") is not None:
            options["delivery_guarantee"] = document["delivery_guarantee"].data
        checkpoint, resources = document.get("checkpoint"), document.get("resources")
        if checkpoint is not None:
            options |= {f"checkpoint_{name}": v.data for name, v in checkpoint.data.items()}
        if resources is not None:
            options |= resources.plain()
        try:
            with self._noting(checkpoint or document):
                return Pipeline(document["name"].data, **options)
        except NotBuilt:
            self._notes.raise_if_any()
            raise

    def _source(self, name: str, value: Value) -> Stream:
        options: dict[str, Any] = options_of(
            value,
            "event_time",
            "event_time_unit",
            "time_zone",
            "schema",
            "parallelism",
            "changes",
            "key",
        )
        errors = value.get("errors")
        if errors is not None:
            options["errors"] = policy(errors)
        if name != "source":
            options["name"] = name
        _, end = source_in(value)
        with self._noting(end):
            source = self._ends.source(value)
        with self._noting(value):
            strategy = watermark(value.get("watermark"))
            stream = self._pipeline.read(source, watermark=strategy, **options)
            self._nodes[name] = stream._dead[0].source
        self._dead_letters(errors, stream)
        return stream

    def _dead_letters(self, errors: Value | None, stream: Stream) -> None:
        """What `errors: {policy: dlq, to: SINK}` lets go reaches its sink."""
        if errors is not None and errors.get("to") is not None:
            sink = errors["to"].data
            with self._noting(errors):
                dead = stream.errors
            self._attempt(self._sink, sink, self._sinks[sink], dead)

    def _from(self, value: Value) -> Stream | None:
        name = value.get("from")
        return self._last if name is None else self._streams[name.data]

    def _step(self, step: Value) -> Stream:
        stream = self._from(step)
        if stream is None:
            self._attempt(look_at, step, self._around)
            raise NotBuilt
        made = built(stream, step, self._around)
        self._dead_letters(step.get("errors"), made)
        for name, tag in tagged(step).items():
            self._streams[name] = made.tagged(tag)
        for tag, sink in side_outputs(step):
            self._attempt(self._sink, sink.data, self._sinks[sink.data], made.tagged(tag))
        self._late(step, made)
        having = step.get("having")
        return made if having is None else self._attempt(self._having, made, having) or made

    def _late(self, step: Value, stream: Stream) -> None:
        late = step.get("late")
        if late is not None:
            self._attempt(self._sink, late.data, self._sinks[late.data], stream.late)

    def _having(self, stream: Stream, having: Value) -> Stream:
        with self._noting(having):
            return stream.filter(having.data)

    def _check_record(self, end: Value, stream: Stream) -> None:
        """Columns that become key and timestamp of the records, if the columns are known."""
        schema = self._pipeline.schema(stream._edge)
        for option in ("key", "timestamp"):
            column = end.get(option)
            if column is not None and schema is not None and not schema.open:
                self._attempt(self._check_one, column, schema)
        named = end.get("headers")
        if named is not None and schema is not None and not schema.open:
            for column in named.many():
                self._attempt(self._check_one, column, schema)

    def _check_one(self, column: Value, schema: Schema) -> None:
        with self._noting(column):
            _check_column(column.data, schema)

    def _sink(self, name: str, value: Value, stream: Stream | None) -> None:
        _, end = sink_in(value)
        with self._noting(end):
            sink = self._ends.sink(value)
        if stream is None:
            raise NotBuilt
        self._check_record(end, stream)
        options = options_of(value, "parallelism", "changes")
        with self._noting(value):
            stream.write(sink, name=None if name == "sink" else name, **options)
            self._nodes[name] = len(self._pipeline.graph().nodes) - 1


def _check_column(name: str, schema: Schema) -> None:
    from raystream.data.schema import no_column

    if name not in schema.columns:
        raise no_column(name, schema.columns)
