"""The step of a pipeline file as the call of a verb; a table from verb to function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from raystream.api.stream import Stream
from raystream.config.aggregate_text import parse_aggregate
from raystream.config.check import Value
from raystream.config.functions import function, process, user_aggregate
from raystream.config.notes import NotBuilt, Notes
from raystream.config.over_text import parse_over
from raystream.config.windows import refuse, window_of
from raystream.errors import ConfigurationError
from raystream.graph.aggregates import Aggregate
from raystream.graph.over import Lag, OverFunction, RowNumber
from raystream.graph.policies import ErrorPolicy, WatermarkStrategy
from raystream.operators.registry import formless, verbs


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the call of a verb may need of its file.

    Args:
        directory: Of the file; its functions are looked for there.
        notes: For mistakes.
        streams: By the name of their source or step; None: it could not be built.
    """

    directory: str
    notes: Notes
    streams: Mapping[str, Stream | None]

    def others(self, value: Value | None) -> list[Stream]:
        """The streams that these steps give.

        Raises:
            NotBuilt: one of them could not be built.
        """
        names = value.many() if value is not None else []
        found = [self.streams[name.data] for name in names]
        known = [stream for stream in found if stream is not None]
        if len(known) < len(found):
            raise NotBuilt
        return known


def built(stream: Stream, step: Value, around: Surroundings) -> Stream:
    """The stream behind a step.

    Raises:
        NotBuilt: its mistake is noted.
    """
    verb = next(verb for verb in (*CALLS, *formless()) if step.get(verb) is not None)
    return CALLS.get(verb, _applied)(stream, step, verb, around)


def look_at(step: Value, around: Surroundings) -> None:
    """Note what is wrong with a step whose input is not known."""
    window = step.get("window")
    if window is not None:
        with around.notes.noting(window):
            window_of(window)
    for verb in _OF_FUNCTION:
        value = step.get(verb)
        if value is not None:
            with around.notes.noting(value):
                function(value.data, around.directory)


def options_of(value: Value, *names: str) -> dict[str, Any]:
    """The options that are given, of these."""
    return {name: value[name].plain() for name in names if value.get(name) is not None}


def policy(errors: Value) -> str:
    """The error policy, written by itself or with the sink of its dead letters."""
    return str((errors.get("policy") or errors).data)


def watermark(value: Value | None) -> WatermarkStrategy | None:
    """The watermark of a source, or of a new event time."""
    from raystream.api.watermark import Watermark

    if value is None:
        return None
    options = value.plain()
    group = options.pop("align", None) or {}
    drift = {"max_drift": group["max_drift"]} if "max_drift" in group else {}
    return Watermark(**options, align=group.get("group"), **drift)


def _errors(step: Value) -> dict[str, str]:
    errors = step.get("errors")
    return {} if errors is None else {"errors": policy(errors)}


def _method(stream: Stream, verb: str, arguments: list[Any], options: Mapping[str, Any]) -> Stream:
    made: Stream = getattr(stream, verb)(*arguments, **options)
    return made


_Call = Callable[[Stream, Value, str, Surroundings], Stream]


def _plain(*names: str) -> _Call:
    """A verb whose one argument is a plain value."""

    def call(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
        options = options_of(step, "name", "parallelism", *names) | _errors(step)
        with around.notes.noting(step[verb], step):
            return _method(stream, verb, [step[verb].plain()], options)

    return call


def _columns(*names: str) -> _Call:
    """A verb whose arguments are columns."""

    def call(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
        options = options_of(step, "name", "parallelism", *names) | _errors(step)
        with around.notes.noting(step[verb], step):
            return _method(stream, verb, [c.plain() for c in step[verb].many()], options)

    return call


def _with_event_time(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
    names = ("name", "parallelism", "event_time_unit", "time_zone")
    with around.notes.noting(step[verb], step):
        options = options_of(step, *names) | _errors(step)
        options["watermark"] = watermark(step.get("watermark"))
        return stream.with_event_time(step[verb].data, **options)


def _function(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
    """A verb whose argument is a function."""
    options = options_of(step, "name", "parallelism", "batch_format", "schema") | _errors(step)
    with around.notes.noting(step[verb], step):
        return _method(stream, verb, [function(step[verb].data, around.directory)], options)


def _process(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
    options = options_of(step, "name", "parallelism", "schema") | _errors(step)
    outputs = step.get("side_outputs")
    options["side_outputs"] = {
        tag: side.get("schema") if isinstance(side, dict) else None
        for tag, side in (outputs.plain() if outputs is not None else {}).items()
    }
    others = around.others(step.get("with"))
    with around.notes.noting(step[verb], step):
        made = process(step[verb].data, around.directory)
        if others:
            options |= options_of(step, "broadcast")
            return _method(stream, verb + "_with", [*others, made], options)
        refuse(step, ("broadcast",), "needs with:, the stream that is broadcast")
        return stream.process(made, **options)


def _split(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
    options = options_of(step, "name", "parallelism") | _errors(step)
    with around.notes.noting(step[verb], step):
        branches = {tag: each["where"].data for tag, each in step[verb].data.items()}
        return stream.split(branches, **options)


def _union(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
    options = options_of(step, "name", "parallelism") | _errors(step)
    with around.notes.noting(step[verb], step):
        return stream.union(*around.others(step[verb]), **options)


def _join(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
    (other,) = around.others(step[verb])
    options = options_of(step, "name", "parallelism", "how", "within", "ttl", "suffix")
    if step.get("window") is not None:
        with around.notes.noting(step["window"], step):
            options["window"] = window_of(step["window"])
    with around.notes.noting(step[verb], step):
        return _method(stream, verb, [other, step["keys"].plain()], options)


def _key_by(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
    options = options_of(step, "name", "parallelism") | _errors(step)
    with around.notes.noting(step[verb], step):
        return _keyed(stream, step[verb], options)


def _keyed(stream: Stream, value: Value, options: dict[str, Any]) -> Stream:
    if isinstance(value.data, dict):
        for name in ("name", "parallelism", "errors"):
            if name in value.data:
                text = f"a key called {name!r} cannot be computed here"
                raise ConfigurationError(text, what_to_do="make the column with with_columns first")
        return stream.key_by(**value.plain(), **options)
    return stream.key_by(*(key.data for key in value.many()), **options)


def _by_its_key(stream: Stream, step: Value, around: Surroundings) -> Stream:
    """With the `key_by` that may stand beside a verb."""
    keys = step.get("key_by")
    if keys is None:
        return stream
    with around.notes.noting(keys, step):
        return _keyed(stream, keys, {})


def _applied(stream: Stream, step: Value, word: str, around: Surroundings) -> Stream:
    """A verb whose options are the fields of its step."""
    with around.notes.noting(step[word], step):
        given = {**step[word].plain()}
        if step.get("errors") is not None:
            given["errors"] = ErrorPolicy(policy(step["errors"]))
        others = around.others(step.get("with"))
        try:
            made = verbs()[word](**given)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"{word}: {error}") from error  # noqa: EM102
        return stream.step(made, *others, **options_of(step, "name", "parallelism"))


def _aggregate(stream: Stream, step: Value, _: str, around: Surroundings) -> Stream:
    stream, window = _by_its_key(stream, step, around), step.get("window")
    if window is None:
        return _grouped(stream, step, around)
    options = options_of(step, "name", "parallelism", "allowed_lateness") | _errors(step)
    with around.notes.noting(window, step):
        refuse(step, ("ttl",), "is for an aggregate without a window")
        windowed = stream.window(window_of(window), emit=_emit(step.get("emit")), **options)
    with around.notes.noting(step["aggregate"], step):
        result: Stream = windowed.agg(_aggregates(step, around))
    return result


def _of_window(*names: str, argument: Callable[[Value, Surroundings], Any]) -> _Call:
    """A verb of a stream, and of a window, with these options."""

    def call(stream: Stream, step: Value, verb: str, around: Surroundings) -> Stream:
        stream, window = _by_its_key(stream, step, around), step.get("window")
        options = options_of(step, *names)
        own = options_of(step, "name", "parallelism") | _errors(step)
        if window is None:
            with around.notes.noting(step[verb], step):
                refuse(step, ("allowed_lateness", "late"), "needs a window")
                options |= options_of(step, "ttl") | own
                return _method(stream, verb, [argument(step[verb], around)], options)
        with around.notes.noting(window, step):
            refuse(step, ("ttl",), "is for a verb without a window")
            own |= options_of(step, "allowed_lateness")
            windowed: Any = stream.window(window_of(window), **own)
        with around.notes.noting(step[verb], step):
            return _method(windowed, verb, [argument(step[verb], around)], options)

    return call


def _window_apply(stream: Stream, step: Value, _: str, around: Surroundings) -> Stream:
    stream, window = _by_its_key(stream, step, around), step["window"]
    options = options_of(step, "name", "parallelism", "allowed_lateness") | _errors(step)
    with around.notes.noting(window, step):
        windowed = stream.window(window_of(window), **options)
    with around.notes.noting(step["window_apply"], step):
        called = function(step["window_apply"].data, around.directory)
        return windowed.apply(called, schema=step["schema"].plain())


def _grouped(stream: Stream, step: Value, around: Surroundings) -> Stream:
    """Without a window."""
    options = options_of(step, "name", "parallelism", "ttl") | _errors(step)
    with around.notes.noting(step["aggregate"], step):
        refuse(step, ("emit", "allowed_lateness", "late"), "needs a window")
        result: Stream = stream.aggregate(_aggregates(step, around), **options)
    return result


def _over(stream: Stream, step: Value, _: str, around: Surroundings) -> Stream:
    stream = _by_its_key(stream, step, around)
    options = options_of(step, "name", "parallelism", "ttl") | _errors(step)
    with around.notes.noting(step["over"], step):
        above = stream.over(**step["over"].plain(), **options)
    with around.notes.noting(step["aggregate"], step):
        return above.agg(
            {n: _over_function(v.data, around) for n, v in step["aggregate"].data.items()}
        )


def _over_function(text: str, around: Surroundings) -> OverFunction:
    other = parse_over(text)
    if other is None:
        return _aggregate_of(text, around)
    return RowNumber() if other.value is None else Lag(other.value.text, other.by)


def _emit(value: Value | None) -> Any:
    from raystream.api.windows import early

    if value is None:
        return "on_close"
    return early(value["early"].data) if isinstance(value.data, dict) else value.data


def _aggregates(step: Value, around: Surroundings) -> dict[str, Aggregate]:
    """The expressions in them are parsed already."""
    texts = step["aggregate"].data.items()
    return {name: _aggregate_of(value.data, around) for name, value in texts}


def _aggregate_of(text: str, around: Surroundings) -> Aggregate:
    user = partial(user_aggregate, directory=around.directory)
    return parse_aggregate(text).aggregate(user)


_OF_FUNCTION = ("map", "flat_map", "map_batches", "inspect", "process", "window_apply", "reduce")
CALLS: Mapping[str, _Call] = {
    "window_apply": _window_apply,
    "over": _over,
    "aggregate": _aggregate,
    "top": _of_window("by", "rank", argument=lambda value, _: value.plain()),
    "reduce": _of_window(argument=lambda value, around: function(value.data, around.directory)),
    "asof_join": _join,
    "dedupe": _columns("within", "keep"),
    "drop_duplicates": _columns("within", "keep"),
    "drop": _columns(),
    "filter": _plain(),
    "flat_map": _function,
    "inspect": _function,
    "join": _join,
    "key_by": _key_by,
    "lookup": _join,
    "map": _function,
    "map_batches": _function,
    "process": _process,
    "rename": _plain(),
    "select": _columns(),
    "split": _split,
    "union": _union,
    "with_columns": _plain(),
    "with_event_time": _with_event_time,
}
"""Verb -> call; those of windows come first, since a `key_by` may stand beside them."""
