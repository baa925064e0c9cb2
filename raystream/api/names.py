"""What pipelines and steps are called: names of the user are checked, others made from content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from raystream.api.origin import wrong
from raystream.errors import ConfigurationError
from raystream.graph.logical import Node
from raystream.graph.steps import (
    Drop,
    Filter,
    KeyBy,
    Read,
    Select,
    Step,
    WindowAggregate,
    WithColumns,
    WithEventTime,
    Write,
)
from raystream.graph.windows import Cumulative, Hopping, Window

MAX_LENGTH = 60
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_SHORT = 40  # leaves room for a suffix


def check_name(name: object, what: str) -> str:
    """The name, if it is one.

    Raises:
        ConfigurationError: not 1 to 60 of A-Z a-z 0-9 _ -.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        text = f"{name!r} is not a name for a {what}"
        raise wrong(text, "use 1 to 60 of A-Z a-z 0-9 _ -")
    return name


def check_free(name: str, nodes: Sequence[Node]) -> None:
    """Refuse a name that another step was given.

    Raises:
        ConfigurationError: names both lines.
    """
    twin = next((node for node in nodes if node.named and node.name == name), None)
    if twin is not None:
        text = f"two steps are called {name!r}; the other is at {twin.origin}"
        raise wrong(text, "a name is the identity of a step in checkpoints: give another one")


def automatic(step: Step) -> str:
    """Name from verb and content, so that an edit elsewhere does not change it.

    >>> automatic(Filter("status >= 400"))
    'filter-status-400'
    """
    verb, content = _words(step)
    return slug(f"{verb}-{content}" if content else verb)[:_SHORT].rstrip("-_")


def slug(text: str) -> str:
    """Text with everything that a name cannot hold as one dash.

    >>> slug("kafka topic requests")
    'kafka-topic-requests'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")


def with_final_names(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Nodes whose automatic names are unique.

    Steps with the same content are told apart by what is above them, all of them, so that a new
    twin never takes over the name (and the state) of an old one.

    Raises:
        ConfigurationError: two steps have the same content and the same input.
    """
    wanted = Counter(node.name for node in nodes)
    taken: dict[str, Node] = {}
    final: dict[int, Node] = {}
    for node in nodes:
        named = node
        if not node.named and wanted[node.name] > 1:
            above = [(final[edge.source].name, edge.tag) for edge in node.inputs]
            named = replace(node, name=f"{node.name}-{_digest(repr((above, _detail(node.step))))}")
        number = 2
        base = named.name
        while named.name in taken:
            _refuse_stateful_twin(named, taken[named.name])
            named = replace(named, name=f"{base}-{number}")
            number += 1
        taken[named.name] = named
        final[node.id] = named
    return tuple(final.values())


def _refuse_stateful_twin(node: Node, twin: Node) -> None:
    if isinstance(node.step, Read | Write | WindowAggregate):
        text = f"this step and the one at {twin.origin} do the same and have no names"
        raise ConfigurationError(text, str(node.origin), "give both a name=")


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=3).hexdigest()


def _detail(step: Step) -> str:
    if isinstance(step, WindowAggregate):
        return repr((step.window, sorted(step.aggregates)))
    return ""


def _words(step: Step) -> tuple[str, str]:
    match step:
        case Read(source=source):
            return "read", _place(source.describe())
        case Write(sink=sink):
            return "write", _place(sink.describe())
        case Filter(condition=condition):
            return "filter", str(condition)
        case Select(columns=columns):
            return "select", "-".join(_column(column) for column in columns)
        case WithColumns(columns=named):
            return "with", "-".join(named)
        case WithEventTime(event_time=time):
            return "event-time", str(time)
        case Drop(columns=dropped):
            return "drop", "-".join(dropped)
        case KeyBy(keys=keys):
            return "key", "-".join(keys)
        case WindowAggregate(keys=keys, window=window):
            return _window(window), "-".join(keys)
        case _:
            function = getattr(step, "function", None)
            return _snake(type(step).__name__), _function_name(function)


def _place(described: str) -> str:
    words = described.split()
    return words[-1].rstrip("/").rpartition("/")[2] if words else ""


def _column(column: object) -> str:
    return column if isinstance(column, str) else str(column.meta.output_name())  # type: ignore[attr-defined]


def _window(window: Window) -> str:
    match window:
        case Hopping(size_ms=size, slide_ms=slide):
            return f"hopping-{_short(size)}-{_short(slide)}"
        case Cumulative(max_size_ms=size, step_ms=step):
            return f"cumulative-{_short(size)}-{_short(step)}"
        case _:
            return f"tumbling-{_short(window.size_ms)}"


def _short(ms: int) -> str:
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms}ms"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _function_name(function: object) -> str:
    name = getattr(function, "__name__", "")
    return "" if name == "<lambda>" else name
