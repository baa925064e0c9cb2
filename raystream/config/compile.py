"""A checked document -> the Pipeline that Python would have built, with places for its lines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raystream.api.environment import PREFIX
from raystream.api.origin import written_at
from raystream.api.pipeline import Pipeline
from raystream.api.stream import Stream
from raystream.config.aggregate_text import parse_aggregate
from raystream.config.check import Value
from raystream.config.ends import Ends, sink_in, source_in
from raystream.config.functions import function, process
from raystream.config.place import InvalidFile, Place, Problems
from raystream.config.references import named, side_outputs, side_sinks
from raystream.config.windows import refuse, window_of
from raystream.config.yaml import Scalar
from raystream.errors import ConfigurationError
from raystream.expressions.problem import BadExpression
from raystream.graph.aggregates import Aggregate
from raystream.graph.policies import ErrorPolicy, WatermarkStrategy
from raystream.operators.registry import formless, verbs

if TYPE_CHECKING:
    from raystream.data.schema import Schema

_NO_COLUMN = re.compile(r"no column '([^']+)'")
_PYTHON_ADVICE = (
    (re.compile(r"write rs\.Kafka\(\.\.\., (\w+)=\.\.\.\)"), r"write \1: beside bootstrap_servers"),
    (re.compile(r"\b(name|group_id)=$"), r"\1:"),
)
"""Advice that speaks of Python, and the same for YAML."""


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


class _Skip(Exception):
    """A step could not be built; its problem is noted."""


class _Compiler:
    def __init__(self, document: Value, *, to_run: bool) -> None:
        self._document = document
        self._problems = Problems()
        connections = document.get("connections")
        self._ends = Ends(connections.data if connections is not None else {}, to_run=to_run)
        self._directory = os.path.dirname(document.place.file)
        self._streams: dict[str, Stream | None] = {}
        self._last: Stream | None = None
        self._side = side_sinks(document)
        self._sinks = named(document, "sinks")
        self._nodes: dict[str, int] = {}

    def compile(self) -> Compiled:
        pipeline = self._built()
        self._problems.raise_if_any()
        names = self._attempt(self._final_names, pipeline)
        self._problems.raise_if_any()
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
        for name, value in self._sinks.items():
            if name not in self._side:
                self._attempt(self._sink, name, value, self._from(value))
        return self._pipeline

    def _kept(self, step: Value) -> Stream | None:
        """Behind a filter that failed the columns are known all the same."""
        return self._from(step) if step.get("filter") is not None else None

    # -- problems ----------------------------------------------------------------------------

    def _attempt(self, build: Any, *arguments: Any) -> Any:
        try:
            return build(*arguments)
        except _Skip:
            return None

    @contextmanager
    def _noting(self, value: Value, within: Value | None = None) -> Iterator[None]:
        """Steps made inside are written at `within`; what is wrong with them is at `value`."""
        try:
            with written_at((within or value).place.origin()):
                yield
        except InvalidFile:
            raise
        except ConfigurationError as error:
            if error.where.startswith(PREFIX):
                raise  # a variable of the environment is wrong, not the file
            place, path = self._place_of(error, value, within or value)
            advice = f"; {_for_yaml(error.what_to_do)}" if error.what_to_do else ""
            last = re.escape(path.rpartition(".")[2])
            what = getattr(error, "fault", error.what)
            said = re.sub(rf"^(?:agg|{last}): |^with_columns\({last}=\): ", "", what)
            self._problems.add(place, path, said + advice)
            raise _Skip from error

    def _place_of(self, error: ConfigurationError, value: Value, all_: Value) -> tuple[Place, str]:
        """Where a column that does not exist is named, else the value."""
        if isinstance(error, BadExpression):
            for scalar in all_.scalars():
                start = str(scalar.data).find(error.text)
                if start >= 0 and not scalar.path.endswith((".name", ".from")):
                    return _inside(scalar, start + error.offset)
        column = _NO_COLUMN.search(error.what)
        for scalar in all_.scalars() if column is not None else ():
            assert isinstance(scalar.node, Scalar)
            assert column is not None
            at = re.search(rf"(?<!\w){re.escape(column[1])}(?!\w)", scalar.node.text)
            if at is not None and not scalar.path.endswith((".name", ".from")):
                return _inside(scalar, at.start())
        output = value.get(error.what.partition(": ")[0])
        return (output or value).place, (output or value).path

    # -- parts -------------------------------------------------------------------------------

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
        except _Skip:
            self._problems.raise_if_any()
            raise

    def _source(self, name: str, value: Value) -> Stream:
        options: dict[str, Any] = _options(
            value, "event_time", "event_time_unit", "time_zone", "schema", "parallelism"
        )
        errors = value.get("errors")
        if errors is not None:
            options["errors"] = _policy(errors)
        if name != "source":
            options["name"] = name
        _, end = source_in(value)
        with self._noting(end):
            source = self._ends.source(value)
        with self._noting(value):
            watermark = _watermark(value.get("watermark"))
            stream = self._pipeline.read(source, watermark=watermark, **options)
            self._nodes[name] = stream._edge.source
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
            self._attempt(self._alone, step)
            raise _Skip
        if step.get("aggregate") is not None:
            return self._aggregate(stream, step)
        for verb in ("join", "asof_join"):
            if step.get(verb) is not None:
                return self._join(stream, step, verb)
        verb = next(v for v in (*_VERBS, *formless()) if step.get(v) is not None)
        value = step[verb]
        options = _options(
            step, "name", "parallelism", "batch_format", "schema", "side_outputs", *_OF_STATE
        )
        with self._noting(value, step):
            if verb == "with_event_time":
                options |= _options(step, "event_time_unit", "time_zone")
                options["watermark"] = _watermark(step.get("watermark"))
            if verb in _VERBS:
                made = self._plain_step(stream, verb, value, options | _errors(step))
            else:
                made = self._applied(stream, verb, step, options)
        self._dead_letters(step.get("errors"), made)
        for tag, sink in side_outputs(step):
            self._attempt(self._sink, sink.data, self._sinks[sink.data], made.tagged(tag))
        return made

    def _alone(self, step: Value) -> None:
        """What is known of a step without its input."""
        window = step.get("window")
        if window is not None:
            with self._noting(window):
                window_of(window)
        for verb in _FUNCTIONS:
            value = step.get(verb)
            if value is not None:
                with self._noting(value):
                    function(value.data, self._directory)

    def _plain_step(
        self, stream: Stream, verb: str, value: Value, options: dict[str, Any]
    ) -> Stream:
        match verb:
            case "filter":
                return stream.filter(value.data, **options)
            case "with_event_time":
                return stream.with_event_time(value.data, **options)
            case "with_columns":
                return stream.with_columns(value.plain(), **options)
            case "rename":
                return stream.rename(value.plain(), **options)
            case "key_by":
                return _keyed(stream, value, options)
            case "select" | "drop":
                columns = [column.plain() for column in value.many()]
                made: Stream = getattr(stream, verb)(*columns, **options)
                return made
            case "top":
                return stream.top(value.plain(), **options)
            case "dedupe":
                names = [column.data for column in value.many()]
                return stream.dedupe(*names, **options)
            case "process":
                return self._process(stream, value, options)
            case "union":
                return stream.union(*self._others(value), **options)
            case _:
                called: Stream = getattr(stream, verb)(
                    function(value.data, self._directory), **options
                )
                return called

    def _process(self, stream: Stream, value: Value, options: dict[str, Any]) -> Stream:
        said = options.pop("side_outputs", {})
        options["side_outputs"] = {
            tag: side.get("schema") if isinstance(side, dict) else None
            for tag, side in said.items()
        }
        made: Stream = stream.process(process(value.data, self._directory), **options)
        return made

    def _others(self, value: Value | None) -> list[Stream]:
        """The streams that these steps give."""
        found = [self._streams[other.data] for other in (value.many() if value is not None else [])]
        known = [stream for stream in found if stream is not None]
        if len(known) < len(found):
            raise _Skip
        return known

    def _join(self, stream: Stream, step: Value, verb: str) -> Stream:
        (other,) = self._others(step[verb])
        options = _options(step, "name", "parallelism", "how", "within", "ttl", "suffix")
        if step.get("window") is not None:
            with self._noting(step["window"], step):
                options["window"] = window_of(step["window"])
        with self._noting(step[verb], step):
            made: Stream = getattr(stream, verb)(other, step["keys"].plain(), **options)
        self._late(step, made)
        return made

    def _late(self, step: Value, stream: Stream) -> None:
        late = step.get("late")
        if late is not None:
            self._attempt(self._sink, late.data, self._sinks[late.data], stream.late)

    def _applied(self, stream: Stream, word: str, step: Value, options: dict[str, Any]) -> Stream:
        """A verb whose options are the fields of its step."""
        said = {**step[word].plain()}
        if step.get("errors") is not None:
            said["errors"] = ErrorPolicy(_policy(step["errors"]))
        others = self._others(step.get("with"))
        try:
            made = verbs()[word](**said)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"{word}: {error}") from error  # noqa: EM102
        return stream.step(made, *others, **options)

    def _aggregate(self, stream: Stream, step: Value) -> Stream:
        keys, window = step.get("key_by"), step.get("window")
        if keys is not None:
            with self._noting(keys, step):
                stream = _keyed(stream, keys, {})
        if window is None:
            return self._grouped(stream, step)
        options = _options(step, "name", "parallelism", "allowed_lateness") | _errors(step)
        with self._noting(window, step):
            refuse(step, ("ttl",), "is for an aggregate without a window")
            windowed = stream.window(window_of(window), emit=_emit(step.get("emit")), **options)
        with self._noting(step["aggregate"], step):
            result: Stream = windowed.agg(_aggregates(step))
        self._dead_letters(step.get("errors"), result)
        self._late(step, result)
        return self._finished(result, step)

    def _grouped(self, stream: Stream, step: Value) -> Stream:
        """Without a window."""
        options = _options(step, "name", "parallelism", "ttl") | _errors(step)
        with self._noting(step["aggregate"], step):
            refuse(step, ("emit", "allowed_lateness", "late"), "needs a window")
            result: Stream = stream.aggregate(_aggregates(step), **options)
        self._dead_letters(step.get("errors"), result)
        return self._finished(result, step)

    def _finished(self, result: Stream, step: Value) -> Stream:
        having = step.get("having")
        return result if having is None else self._attempt(self._having, result, having) or result

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
            raise _Skip
        self._check_record(end, stream)
        options = _options(value, "parallelism", "changes")
        with self._noting(value):
            stream.write(sink, name=None if name == "sink" else name, **options)
            self._nodes[name] = len(self._pipeline.graph().nodes) - 1


def _inside(scalar: Value, offset: int) -> tuple[Place, str]:
    """A character of a scalar."""
    assert isinstance(scalar.node, Scalar)
    return scalar.node.at(offset) if offset else scalar.place, scalar.path


def _check_column(name: str, schema: Schema) -> None:
    from raystream.data.schema import no_column

    if name not in schema.columns:
        raise no_column(name, schema.columns)


_OF_STATE = ("within", "keep", "by", "rank", "ttl")
_FUNCTIONS = ("map", "flat_map", "map_batches", "inspect", "process")
_VERBS = (
    "filter",
    "select",
    "drop",
    "rename",
    "dedupe",
    "top",
    "with_columns",
    "with_event_time",
    "map",
    "flat_map",
    "map_batches",
    "inspect",
    "process",
    "union",
    "key_by",
)


def _options(value: Value, *names: str) -> dict[str, Any]:
    return {name: value[name].plain() for name in names if value.get(name) is not None}


def _policy(errors: Value) -> str:
    return str((errors.get("policy") or errors).data)


def _errors(step: Value) -> dict[str, str]:
    errors = step.get("errors")
    return {} if errors is None else {"errors": _policy(errors)}


def _watermark(value: Value | None) -> WatermarkStrategy | None:
    from raystream.api.watermark import Watermark

    return None if value is None else Watermark(**value.plain())


def _keyed(stream: Stream, value: Value, options: dict[str, Any]) -> Stream:
    if isinstance(value.data, dict):
        for name in ("name", "parallelism", "errors"):
            if name in value.data:
                text = f"a key called {name!r} cannot be computed here"
                raise ConfigurationError(text, what_to_do="make the column with with_columns first")
        return stream.key_by(**value.plain(), **options)
    return stream.key_by(*(key.data for key in value.many()), **options)


def _emit(value: Value | None) -> Any:
    from raystream.api.windows import early

    return (
        early(value["early"].data) if value is not None and value.data != "on_close" else "on_close"
    )


def _aggregates(step: Value) -> dict[str, Aggregate]:
    return {name: _aggregate(value.data) for name, value in step["aggregate"].data.items()}


def _aggregate(text: str) -> Aggregate:
    """The value that `rs.sum(..)` makes; its expressions are parsed already."""
    parsed = parse_aggregate(text)
    value, where = parsed.value, parsed.where
    return Aggregate(parsed.kind, value.text if value else None, where.text if where else None)


def _for_yaml(advice: str) -> str:
    for pattern, words in _PYTHON_ADVICE:
        advice = pattern.sub(words, advice)
    return advice
