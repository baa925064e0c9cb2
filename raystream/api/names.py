"""Names of pipelines and steps: the user's are checked, automatic ones come from content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from raystream.api.origin import wrong
from raystream.errors import ConfigurationError
from raystream.graph.logical import Node
from raystream.operators.step import Step

MAX_LENGTH = 60
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_SHORT = 40  # leaves room for a suffix


def check_name(name: object, what: str) -> str:
    """Check a name.

    Raises:
        ConfigurationError: not 1 to 60 of A-Z a-z 0-9 _ -.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        text = f"{name!r} is not a name for a {what}"
        raise wrong(text, "use 1 to 60 of A-Z a-z 0-9 _ -")
    return name


def check_free(name: str, nodes: Sequence[Node]) -> None:
    """Refuse a name that another step has.

    Raises:
        ConfigurationError: names both lines.
    """
    twin = next((node for node in nodes if node.named and node.name == name), None)
    if twin is not None:
        text = f"two steps are called {name!r}; the other is at {twin.origin}"
        raise wrong(text, "a name is the identity of a step in checkpoints: give another one")


def automatic(step: Step) -> str:
    """Make a name from verb and content, so that an edit elsewhere does not change it.

    >>> from raystream.operators.filter.step import Filter
    >>> automatic(Filter("status >= 400"))
    'filter-status-400'
    """
    verb, content = step.label()
    return slug(f"{verb}-{content}" if content else verb)[:_SHORT].rstrip("-_")


def slug(text: str) -> str:
    """Replace everything that a name cannot contain by one dash.

    >>> slug("kafka topic requests")
    'kafka-topic-requests'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")


def with_final_names(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Make automatic names of nodes unique.

    Steps with the same content are told apart by all steps above them, so that a new twin never
    takes over the name (and the state) of an old one.

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
            named = replace(node, name=f"{node.name}-{_digest(repr((above, node.step.detail())))}")
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
    step = node.step
    if step.keeps_state or step.source is not None or step.sink is not None:
        text = f"this step and the one at {twin.origin} do the same and have no names"
        raise ConfigurationError(text, str(node.origin), "give both a name=")


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=3).hexdigest()
