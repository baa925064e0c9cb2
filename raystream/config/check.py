"""Nodes against the model: every mistake with its place, and what is right as values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from raystream.api.peers import NOT_YET
from raystream.config.place import Place, Problems
from raystream.config.scalars import plain_value
from raystream.config.shapes import (
    AnyScalar,
    AnyValue,
    ByKind,
    ListOf,
    MapOf,
    Number,
    Record,
    Shape,
    Text,
    Truth,
    Variants,
    Word,
)
from raystream.config.yaml import Mapping as MappingNode
from raystream.config.yaml import Node, Scalar, Sequence, to_data
from raystream.connectors.kafka.settings import Secret
from raystream.graph.nearest import did_you_mean

MEANT: Mapping[str, str] = {
    "using": "keys",
    "brokers": "bootstrap_servers",
    "servers": "bootstrap_servers",
    "topics": "topic",
    "group": "group_id",
    "offsets": "starting_offsets",
    "username": "sasl_username",
    "password": "sasl_password",
    "sliding": "hopping",
    "count_window": "count",
    "global_window": "global",
    "grace": "allowed_lateness",
    "watermark_delay": "out_of_orderness",
    "where": "filter",
    "agg": "aggregate",
    "input": "source",
    "output": "sink",
    "transforms": "steps",
    "every": "slide",
    "id": "name",
}
"""Words of other systems -> ours."""

ELSEWHERE: Mapping[str, str] = {
    "parallelism": "write resources: {parallelism: 2}",
    "checkpoint_interval": "write checkpoint: {interval: 10s}",
    "checkpoint_storage": "write checkpoint: {storage: ..}",
    "state_memory": "write resources: {state_memory: 1GiB}",
    "state_directory": "write resources: {state_directory: ..}",
    "early": "write emit: {early: 10s}",
    "dlq": "write errors: {policy: dlq, to: SINK}, with a sink of that name",
}
"""Words of ours that belong somewhere else."""


class SecretText(Secret):
    """A secret of a pipeline file: its repr hides it, and it knows how it can be found again."""

    __slots__ = ("reference",)
    reference: str

    def __new__(cls, text: str, reference: str) -> SecretText:
        """Text and reference (`env:NAME`, `file:/path`)."""
        made = super().__new__(cls, text)
        made.reference = reference
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as both."""
        return SecretText, (str.__str__(self), self.reference)


@dataclass(frozen=True, slots=True, repr=False)
class Value:
    """Something that has the shape it should have.

    Args:
        data: A text, number, ..; list of Value; dict of Value.
        node: Where it is written, and how.
        path: `steps[0].window`.
    """

    data: Any
    node: Node
    path: str

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.node.place

    def __getitem__(self, name: str) -> Value:
        """A field that is there."""
        found: Value = self.data[name]
        return found

    def get(self, name: str) -> Value | None:
        """A field, if it is there."""
        found: Value | None = self.data.get(name) if isinstance(self.data, dict) else None
        return found

    def many(self) -> list[Value]:
        """Its items; a single scalar counts as a list of one."""
        return self.data if isinstance(self.data, list) else [self]

    def plain(self) -> Any:
        """The data without places."""
        if isinstance(self.data, dict) and isinstance(self.node, MappingNode):
            return {n: v.plain() if isinstance(v, Value) else v for n, v in self.data.items()}
        if isinstance(self.data, list):
            return [v.plain() if isinstance(v, Value) else v for v in self.data]
        return self.data

    def scalars(self) -> Iterator[Value]:
        """Every scalar below, in order."""
        if isinstance(self.data, dict | list):
            for inner in self.data.values() if isinstance(self.data, dict) else self.data:
                if isinstance(inner, Value):
                    yield from inner.scalars()
        elif isinstance(self.node, Scalar):
            yield self


def check(node: Node, shape: Shape, problems: Problems, path: str = "") -> Value | None:
    """The value that a node stands for.

    Args:
        node: Interpolated.
        shape: What it must look like.
        problems: Takes every mistake.
        path: Way to it.

    Returns:
        None if it is of the wrong kind; parts that are wrong are left out.
    """
    if isinstance(node, Scalar) and node.trapped:
        return None
    match shape:
        case Record():
            return _record(node, shape, problems, path)
        case Variants():
            return _variant(node, shape, problems, path)
        case MapOf():
            return _map(node, shape, problems, path)
        case ListOf():
            return _list(node, shape, problems, path)
        case ByKind():
            return _by_kind(node, shape, problems, path)
        case AnyValue():
            return Value(to_data(node), node, path)
        case _:
            return _scalar(node, shape, problems, path)


def below(path: str, name: str) -> str:
    """Path of a field.

    >>> below("", "source"), below("source", "kafka")
    ('source', 'source.kafka')
    """
    return f"{path}.{name}" if path else name


# -- maps ------------------------------------------------------------------------------------


def _record(node: Node, shape: Record, problems: Problems, path: str) -> Value | None:
    if not isinstance(node, MappingNode):
        like = f" like {shape.example}" if shape.example else ""
        _wrong_kind(node, f"{shape.what} is a map{like}", problems, path)
        return None
    found: dict[str, Value] = {}
    meant: set[str] = set()
    for key, value in node.items:
        if key.trapped:
            continue
        if key.text not in shape.fields:
            advice = _advice(key.text, list(shape.fields))
            problems.add(key.place, path, f"unknown field {key.text!r}; {advice}")
            meant |= {name for name in shape.fields if f"{name!r}?" in advice}
            continue
        field = shape.fields[key.text].shape
        checked = check(value, field, problems, below(path, key.text))
        if checked is not None:
            found[key.text] = checked
    _missing(node, shape, meant, problems, path)
    return Value(found, node, path)


def _missing(
    node: MappingNode, shape: Record, meant: set[str], problems: Problems, path: str
) -> None:
    """Fields that are not there, nor misspelt."""
    names = [*(key.text for key, _ in node.items), *meant]
    nothing_known = bool(names) and not set(names) & set(shape.fields)
    for name, field in shape.fields.items():
        if field.required and name not in names:
            problems.add(node.place, path, f"{shape.what} needs {name!r}")
    for group in shape.one_of:
        there = [name for name in names if name in group]
        if not there and not nothing_known:
            problems.add(node.place, path, f"{shape.what} needs {' or '.join(group)}")
        if len(there) > 1:
            second = next((key for key, _ in node.items if key.text == there[1]), node)
            text = f"{shape.what} has {there[0]} already; write one of {', '.join(group)}"
            problems.add(second.place, path, text)


def _advice(word: str, known: list[str]) -> str:
    if MEANT.get(word) in known:
        return f"did you mean {MEANT[word]!r}?"
    return ELSEWHERE.get(word) or NOT_YET.get(word) or did_you_mean(word, known)


def _variant(node: Node, shape: Variants, problems: Problems, path: str) -> Value | None:
    if not isinstance(node, MappingNode):
        _wrong_kind(node, f"{shape.what} is a map", problems, path)
        return None
    names = [key.text for key, _ in node.items]
    verb = next((verb for verb in shape.records if verb in names), None)
    if verb is None:
        _no_verb(node, shape, problems, path)
        return None
    record = shape.records[verb]
    for key, _ in node.items:
        if key.text in shape.records and key.text not in record.fields:
            text = f"{shape.what} does one thing, not {verb} and {key.text}; write two"
            problems.add(key.place, path, text)
            return None
    return _record(node, record, problems, path)


def _no_verb(node: MappingNode, shape: Variants, problems: Problems, path: str) -> None:
    known = list(dict.fromkeys(f for record in shape.records.values() for f in record.fields))
    unknown = [key for key, _ in node.items if key.text not in known and not key.trapped]
    for key in unknown:
        advice = _advice(key.text, known)
        if advice.startswith("one of"):
            advice = f"a step has one of {', '.join(shape.records)}"
        text = f"unknown field {key.text!r}; {advice}"
        problems.add(key.place, path, text)
    if not unknown:
        text = f"{shape.what} needs one of {', '.join(shape.records)}"
        problems.add(node.place, path, text)


def _map(node: Node, shape: MapOf, problems: Problems, path: str) -> Value | None:
    if not isinstance(node, MappingNode) or not node.items:
        _wrong_kind(node, f"write a map of {shape.what} to a value", problems, path)
        return None
    found: dict[str, Value] = {}
    for key, value in node.items:
        if key.trapped:
            continue
        if not key.text or (shape.key and re.fullmatch(shape.key, key.text) is None):
            problems.add(key.place, path, f"{key.text!r} is not {shape.what}")
            continue
        checked = check(value, shape.value, problems, below(path, key.text))
        if checked is not None:
            found[key.text] = checked
    return Value(found, node, path)


# -- lists -----------------------------------------------------------------------------------


def _list(node: Node, shape: ListOf, problems: Problems, path: str) -> Value | None:
    if not isinstance(node, Sequence) or len(node.items) < shape.least:
        _wrong_kind(node, "write a list", problems, path)
        return None
    checked = [
        check(item, shape.item, problems, f"{path}[{number}]")
        for number, item in enumerate(node.items)
    ]
    return Value([item for item in checked if item is not None], node, path)


def _by_kind(node: Node, shape: ByKind, problems: Problems, path: str) -> Value | None:
    kinds: list[tuple[type[Any], Shape | None, str]] = [
        (Scalar, shape.scalar, "one value"),
        (Sequence, shape.sequence, "a list"),
        (MappingNode, shape.mapping, "a map"),
    ]
    fits = next(inner for kind, inner, _ in kinds if isinstance(node, kind))
    if fits is not None and not (isinstance(node, Scalar) and _is_empty(node)):
        return check(node, fits, problems, path)
    allowed = " or ".join(word for _, inner, word in kinds if inner is not None)
    _wrong_kind(node, f"write {allowed}", problems, path)
    return None


# -- scalars ---------------------------------------------------------------------------------


def _scalar(node: Node, shape: Shape, problems: Problems, path: str) -> Value | None:
    if not isinstance(node, Scalar):
        kind = "a list" if isinstance(node, Sequence) else "a map"
        problems.add(node.place, path, f"{_wanted(shape)} is expected, not {kind}")
        return None
    if node.secret and not getattr(shape, "secret", False):
        text = "a secret is allowed only in security options and client settings of Kafka"
        problems.add(node.place, path, text)
        return None
    if isinstance(shape, AnyScalar):
        return Value(_hidden(node, node.value), node, path)
    if _is_empty(node):
        problems.add(node.place, path, f"{_wanted(shape)} is missing")
        return None
    message, data = _typed(node, shape)
    if message:
        problems.add(node.place, path, message)
        return None
    return Value(_hidden(node, data), node, path)


def _is_empty(node: Scalar) -> bool:
    return node.value is None and not node.interpolated if node.plain else False


def _hidden(node: Scalar, data: Any) -> Any:
    return SecretText(node.text, node.reference) if node.secret else data


def _typed(node: Scalar, shape: Shape) -> tuple[str, Any]:
    """Message (empty if all is well) and the data."""
    value = plain_value(node.text) if node.interpolated else node.value
    match shape:
        case Word(words=words):
            if node.text in words and isinstance(node.value, str):
                return "", node.text
            more = f"; {ELSEWHERE[node.text]}" if node.text in ELSEWHERE else ""
            return f"{node.shown()} is not one of {', '.join(words)}{more}", None
        case Truth():
            return (
                "" if isinstance(value, bool) else f"{node.shown()} is not true or false"
            ), value
        case Number():
            return _number(node, shape, value)
        case Text():
            return _text(node, shape)
    raise TypeError(shape)


def _number(node: Scalar, shape: Number, value: Any) -> tuple[str, Any]:
    kind = "a whole number" if shape.integer else "a number"
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return f"{node.shown()} is not {kind}", None
    if shape.integer and not (math.isfinite(value) and float(value).is_integer()):
        return f"{node.shown()} is not {kind}", None
    if shape.least is not None and value < shape.least:
        return f"{node.shown()} is less than {shape.least}", None
    if shape.most is not None and value > shape.most:
        return f"{node.shown()} is more than {shape.most}", None
    return "", int(value) if shape.integer else value


def _text(node: Scalar, shape: Text) -> tuple[str, Any]:
    value = node.text if node.interpolated else node.value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = re.fullmatch(shape.pattern, node.text) if shape.pattern else node.text
    if fits and (isinstance(value, str) or (number and shape.numbers)):
        return _meaningless(node, shape), node.text
    if shape.pattern and not fits:
        return f"{node.shown()} is not {shape.what}; {shape.advice}", None
    if not node.text:
        return f"{shape.what} is missing", None
    return f'{node.text} is not text; quote it: "{node.text}"', None


def _meaningless(node: Scalar, shape: Text) -> str:
    """Why a text that has its form means nothing, such as the 30th of February."""
    try:
        if shape.reads is not None:
            shape.reads(node.text)
    except (ValueError, re.error) as error:
        advice = f"; {shape.advice}" if shape.advice else ""
        return f"{node.shown()} is not {shape.what}: {error}{advice}"
    return ""


def _wanted(shape: Shape) -> str:
    match shape:
        case Text(what=what):
            return what
        case Number(integer=integer):
            return "a whole number" if integer else "a number"
        case Truth():
            return "true or false"
        case Word(words=words):
            return f"one of {', '.join(words)}"
        case _:
            return "one value"


def _wrong_kind(node: Node, wanted: str, problems: Problems, path: str) -> None:
    got = {Sequence: "a list", MappingNode: "a map"}.get(type(node), "one value")
    if isinstance(node, Scalar) and node.plain and re.match(r"\w+:\S", node.text):
        wanted += "; put a space behind the colon"
    elif isinstance(node, Scalar) and _is_empty(node):
        got = "nothing"
    elif isinstance(node, Sequence | MappingNode) and not node.items:
        got = "an empty one"
    problems.add(node.place, path, f"{wanted}, not {got}" if ";" not in wanted else wanted)
