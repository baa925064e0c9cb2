"""A pipeline as the fluent Python that builds it: `raystream explain --as python`."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from raystream.api.pipeline import Pipeline
from raystream.api.user_aggregates import UserAggregate
from raystream.config.check import SecretText
from raystream.connectors.kafka.settings import Secret, shown
from raystream.connectors.traits import cluster_of, metadata_columns, path_of
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.logical import Edge, Node
from raystream.graph.over import Lag, RowNumber
from raystream.graph.policies import Early, WatermarkStrategy
from raystream.graph.windows import (
    CountWindow,
    Cumulative,
    GlobalWindow,
    Hopping,
    Session,
    Trigger,
    Tumbling,
    Window,
)
from raystream.job.facts import without_credentials
from raystream.operators.call import (
    OTHER_STREAMS,
    Call,
    Connector,
    Declared,
    Function,
    Instance,
    Made,
    Milliseconds,
)

_DEFAULTS = {
    "checkpoint_interval": 10.0,
    "checkpoint_storage": None,
    "checkpoint_timeout": 300.0,
    "checkpoint_min_pause": 0.0,
    "parallelism": None,
    "state_memory": None,
    "state_directory": None,
    "delivery_guarantee": "exactly_once",
}
_OPTIONS = ("name", "parallelism", "errors")
_NAMED_FIRST = ("connection", "topic", "topics", "pattern", "format")
_FILES = {"format": "json", "tail": False, "discovery_interval": 60.0}
WIDTH = 92
_DURATIONS = ("checkpoint_interval", "checkpoint_timeout", "checkpoint_min_pause")


def to_python(pipeline: Pipeline) -> str:
    """Source of a module that builds the same pipeline as `p`; secrets are references or `***`.

    Args:
        pipeline: Compiled from a file.
    """
    return _Writer(pipeline).module()


class _Writer:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._nodes = pipeline.graph().nodes
        self._imports: set[str] = set()
        self._clusters: dict[str, str] = {}
        self._variables: dict[int, str] = {}

    def module(self) -> str:
        """The whole text."""
        statements = [self._statement(node) for node in self._nodes if self._starts(node)]
        header = ["import raystream as rs", *sorted(self._imports), "", self._header()]
        header += [f"{name} = {text}" for text, name in self._clusters.items()]
        end = ['if __name__ == "__main__":', "    p.run()"]
        return "\n".join([*header, "", *statements, "", *end]) + "\n"

    def _header(self) -> str:
        settings = self._pipeline.settings
        given = {name: getattr(settings, name) for name in _DEFAULTS}
        if settings.checkpoint_storage is not None:
            given["checkpoint_storage"] = without_credentials(settings.checkpoint_storage)
        changed = {n: v for n, v in given.items() if v != _DEFAULTS[n]}
        words = {n: _time(v) if n in _DURATIONS else _plain(v) for n, v in changed.items()}
        return _call("rs.Pipeline", [_literal(self._pipeline.name)], words, "p = ")

    # -- chains ------------------------------------------------------------------------------

    def _users(self, node: Node) -> list[Node]:
        return [n for n in self._nodes if any(e.source == node.id for e in n.inputs)]

    def _continues(self, node: Node) -> bool:
        """Whether it is written behind its only input, which nobody else reads."""
        if len(node.inputs) != 1 or node.inputs[0].tag != "main":
            return False
        above = self._pipeline.node(node.inputs[0])
        return len(self._users(above)) == 1

    def _starts(self, node: Node) -> bool:
        return not self._continues(node)

    def _statement(self, first: Node) -> str:
        chain, node = [first], first
        while len(users := self._users(node)) == 1 and self._continues(users[0]):
            node = users[0]
            chain.append(node)
        start = "p" if first.step.source is not None else self._stream(first.inputs[0])
        first_verb, *verbs = [self._verb(n) for n in chain if n.step.calls()] or [""]
        text = f"{start}{first_verb}"
        if verbs or len(chain[0].step.calls()) > 1:
            calls = "".join(f"\n    {_indented(verb)}" for verb in verbs)
            text = f"(\n    {_indented(text)}{calls}\n)"
        if node.step.sink is not None:
            return text
        self._variables[node.id] = self._variable(node)
        return f"{self._variables[node.id]} = {text}"

    def _variable(self, node: Node) -> str:
        name = re.sub(r"\W", "_", node.name)
        taken = {"p", "rs", *self._clusters.values(), *self._variables.values()}
        while not name.isidentifier() or keyword.iskeyword(name) or name in taken:
            name = f"{name}_" if name[:1].isalpha() else f"s_{name}"
        return name

    def _stream(self, edge: Edge) -> str:
        attribute = f".{edge.tag}" if edge.tag in ("late", "errors") else f".tagged({edge.tag!r})"
        tag = "" if edge.tag == "main" else attribute
        return f"{self._variables[edge.source]}{tag}"

    def _verb(self, node: Node) -> str:
        options = {"name": _literal(node.name)} if node.named else {}
        if node.parallelism is not None:
            options["parallelism"] = str(node.parallelism)
        if node.step.errors not in (None, "fail"):
            options = {"errors": _literal(str(node.step.errors)), **options}
        first, *others = node.step.calls()
        calls = [self._call(first, node, options), *(self._call(c, node, {}) for c in others)]
        return "\n".join(calls)

    def _call(self, call: Call, node: Node, more: Mapping[str, str]) -> str:
        """`.verb(..)`; `more` are options that every step has."""
        arguments = [text for value in call.arguments for text in self._texts(value, node)]
        options = {name: self._texts(value, node)[0] for name, value in call.options.items()}
        if call.columns is None:
            return _call(f".{call.verb}", arguments, {**options, **more})
        columns = {name: self._texts(value, node)[0] for name, value in call.columns.items()}
        return _columns(f".{call.verb}", arguments, columns, {**options, **more})

    def _user_aggregate(self, aggregate: Aggregate) -> str:
        """By the name that it has in its module."""
        loaded = sorted(sys.modules.items())
        module, name = next(
            (module, name)
            for module, there in loaded
            for name, each in list(vars(there).items() if there is not None else ())
            if isinstance(each, UserAggregate) and each.kind is aggregate.user
        )
        self._imports.add(f"import {module}")
        where = {} if aggregate.where is None else {"where": _literal(aggregate.where)}
        return _call(f"{module}.{name}", [_literal(each) for each in aggregate.inputs], where)

    def _texts(self, value: Any, node: Node) -> list[str]:
        """A value as Python writes it; the other streams of a union are several."""
        if value is OTHER_STREAMS:
            return [self._stream(edge) for edge in node.inputs[1:]]
        match value:
            case Connector(value=end):
                return [self._end(end)]
            case Aggregate(user=user) if user is not None:
                return [self._user_aggregate(value)]
            case Function(value=function):
                self._imports.add(f"import {function.__module__}")
                return [f"{function.__module__}.{function.__qualname__}"]
            case Instance(value=made):
                kind = type(made)
                self._imports.add(f"import {kind.__module__}")
                there = vars(sys.modules[kind.__module__])
                name = next((n for n, v in there.items() if v is made), f"{kind.__qualname__}()")
                return [f"{kind.__module__}.{name}"]
            case Made(value=made):
                kind = type(made)
                options_of = {field.name: getattr(made, field.name) for field in fields(made)}
                options = {name: _value(each) for name, each in options_of.items()}
                return [_call(self._class(kind), [], options)]
        return [_value(value)]

    # -- sources and sinks -------------------------------------------------------------------

    def _end(self, end: Any) -> str:
        if cluster_of(end) is not None:
            return self._topic(end)
        default = dict(_FILES) if path_of(end) is not None else {}
        fields = {n: getattr(end, n) for n in type(end).__dataclass_fields__}
        changed = {n: _literal(v) for n, v in fields.items() if n not in default or v != default[n]}
        if path_of(end) is not None and "discovery_interval" in changed:
            changed["discovery_interval"] = _time(end.discovery_interval)
        return _call(self._class(type(end)), [], changed)

    def _class(self, kind: type) -> str:
        """How its module is named in the text, and imported if it is of another package."""
        if kind.__module__.startswith("raystream."):
            return f"rs.{kind.__name__}"
        self._imports.add(f"import {kind.__module__}")
        return f"{kind.__module__}.{kind.__qualname__}"

    def _topic(self, topic: Any) -> str:
        cluster = self._cluster(topic.connection)
        options = {each.name: getattr(topic, each.name) for each in fields(topic)}
        options_of = {"format": self._format(options["format"])}
        for name, value in options.items():
            if name not in _NAMED_FIRST and value != _default(type(topic), name):
                options_of[name.removesuffix("_ms")] = _option(name, value)
        given = {name: text for name, text in options_of.items() if text}
        return _call(f"{cluster}.topic", [_topics(topic.topics, options.get("pattern"))], given)

    def _format(self, made: Any) -> str:
        kind = type(made)
        given = {each.name: getattr(made, each.name) for each in fields(made) if each.init}
        changed = {name: value for name, value in given.items() if value != _default(kind, name)}
        if not changed:
            return "" if made.name == "json" else _literal(made.name)
        self._imports.add(f"import {kind.__module__}")
        options = {name: _literal(value) for name, value in changed.items()}
        return _call(f"{kind.__module__}.{kind.__qualname__}", [], options)

    def _cluster(self, kafka: Any) -> str:
        options = {name: _secret(name, value) for name, value in kafka.security.items()}
        for name in ("consumer_config", "producer_config"):
            config = getattr(kafka, name)
            if config:
                options[name] = _literal(shown(config))
        text = _call("rs.Kafka", [_literal(kafka.bootstrap_servers)], options)
        number = len(self._clusters) + 1
        return self._clusters.setdefault(text, "kafka" if number == 1 else f"kafka{number}")


def _secret(name: str, value: Any) -> str:
    """The reference that rs.Kafka takes, else the value, hidden if it must be."""
    if isinstance(value, SecretText):
        return _literal(value.reference or "***")
    return _literal(shown({name: value})[name])


def _call(name: str, arguments: list[str], options: Mapping[str, str], before: str = "") -> str:
    every = [*arguments, *(f"{option}={text}" for option, text in options.items())]
    line = f"{before}{name}({', '.join(every)})"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    inner = "".join(f"\n    {_indented(part)}," for part in every)
    return f"{before}{name}({inner}\n)"


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _literal(value: Any) -> str:
    """As `repr`, with double quotes; a secret is hidden."""
    if isinstance(value, Secret):
        return '"***"'
    if isinstance(value, str):
        plain = str(value)
        return repr(plain) if '"' in plain or repr(plain)[1:-1] != plain else f'"{plain}"'
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(item) for item in value)}]"
    return repr(value)


def _value(value: Any) -> str:
    match value:
        case Milliseconds(value=ms):
            return _time(ms / 1000)
        case Declared(schema=schema, source=source):
            made = metadata_columns(source)
            own = () if made is None else made.columns
            return _literal({n: word for n, word in _words(schema).items() if n not in own})
        case dict() if any(isinstance(inner, Declared) for inner in value.values()):
            items = ", ".join(f"{_literal(n)}: {_value(inner)}" for n, inner in value.items())
            return f"{{{items}}}"
        case Early(every_ms=ms):
            return f"rs.early({_time(ms / 1000)})"
        case WatermarkStrategy():
            return _watermark(value)
        case Tumbling() | Hopping() | Cumulative():
            return _shape(value)
        case Session(gap_ms=gap, column=column):
            return _call("rs.session", [_literal(column) if gap is None else _time(gap / 1000)], {})
        case CountWindow(size=size, slide=slide, ttl_ms=ttl):
            return _call("rs.count_window", [str(size)], _given(slide=slide, ttl=ttl))
        case GlobalWindow(trigger=trigger, ttl_ms=ttl):
            return _call("rs.global_window", [_value(trigger)], _given(ttl=ttl))
        case Trigger(count=count, every_ms=every, purge=purge):
            return _call("rs.trigger", [], _given(count=count, every=every, purge=purge or None))
        case Aggregate():
            return _aggregate(value)
        case Lag(value=column, by=by):
            return _call("rs.lag", [_literal(column), *([] if by == 1 else [str(by)])], {})
        case RowNumber():
            return "rs.row_number()"
    return _literal(value)


def _given(**options: int | None) -> dict[str, str]:
    """The options that are set; durations in ms."""
    return {
        name: _time(value / 1000) if name in ("ttl", "every") else str(value)
        for name, value in options.items()
        if value is not None
    }


def _columns(
    verb: str, arguments: list[str], columns: Mapping[str, str], options: Mapping[str, str]
) -> str:
    """Columns as keywords, or as a map if a name is not a Python word, or one of the options."""
    if all(_is_word(name) for name in columns):
        return _call(verb, arguments, {**columns, **options})
    inner = ", ".join(f"{_literal(name)}: {text}" for name, text in columns.items())
    return _call(verb, [*arguments, f"{{{inner}}}"], options)


def _is_word(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and name not in _OPTIONS


def _shape(window: Window) -> str:
    options = {"offset": str(window.offset_ms)} if window.offset_ms else {}
    if window.time_zone is not None:
        options["time_zone"] = _literal(window.time_zone)
    match window:
        case Hopping(size_ms=size, slide_ms=slide):
            return _call("rs.hopping", [_time(size / 1000), _time(slide / 1000)], options)
        case Cumulative(max_size_ms=size, step_ms=step):
            return _call("rs.cumulative", [_time(size / 1000), _time(step / 1000)], options)
        case _:
            return _call("rs.tumbling", [_time(window.size_ms / 1000)], options)


def _aggregate(aggregate: Aggregate) -> str:
    written = (aggregate.by, aggregate.value)
    arguments = [_literal(each) for each in written if each is not None]
    options = {}
    if aggregate.kind is AggregateKind.COLLECT:
        options["limit"] = _literal(aggregate.limit)
    elif aggregate.limit is not None:
        arguments.append(_literal(aggregate.limit))
    if aggregate.quantile is not None:
        arguments.append(_literal(aggregate.quantile))
    if aggregate.where is not None:
        options["where"] = _literal(aggregate.where)
    if aggregate.distinct:
        options["distinct"] = "True"
    return _call(f"rs.{aggregate.kind}", arguments, options)


def _watermark(strategy: WatermarkStrategy) -> str:
    default, options = WatermarkStrategy(), {}
    for name in ("out_of_orderness", "idle_timeout", "max_future"):
        value = getattr(strategy, f"{name}_ms")
        if value != getattr(default, f"{name}_ms"):
            options[name] = "None" if value is None else _time(value / 1000)
    if strategy.align is not None and strategy.max_drift_ms is not None:
        options["align"] = _literal(strategy.align)
        options["max_drift"] = _time(strategy.max_drift_ms / 1000)
    return _call("rs.Watermark", [], options)


def _words(schema: Any) -> dict[str, str]:
    """The words of a declared schema."""
    from raystream.data.types import word_of

    behind = {name: " not null" for name in schema.required}
    units = {n: u if u == "iso8601" else f"timestamp_{u}" for n, u in schema.units.items()}
    return {
        name: f"{units.get(name) or word_of(dtype)}{behind.get(name, '')}"
        for name, dtype in schema.columns.items()
    }


def _default(kind: Any, name: str) -> Any:
    """Default of a field; MISSING if it has none."""
    field = next(each for each in fields(kind) if each.name == name)
    return field.default_factory() if callable(field.default_factory) else field.default


def _topics(names: Sequence[str], pattern: Any) -> str:
    if pattern is not None:
        return _call("rs.pattern", [_literal(pattern.regex)], {})
    return _literal(names[0]) if len(names) == 1 else _literal(list(names))


def _option(name: str, value: Any) -> str:
    if name.endswith(("_ms", "_interval")):
        return _time(value / 1000 if name.endswith("_ms") else value)
    return _literal(list(value)) if isinstance(value, tuple) else _plain(value)


def _plain(value: Any) -> str:
    return "" if value is None else _literal(str(value) if isinstance(value, str) else value)


def _time(value: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        if value and value % size == 0:
            return _literal(f"{round(value / size)}{unit}")
    return _literal(f"{round(value * 1000)}ms")
