"""Every public name has an example in its docstring; pytest --doctest-modules runs them.

Methods that mean something only together, such as those of a state, have one in their class's.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

import raystream as rs
from raystream import testing
from raystream.api.keyed import KeyedStream
from raystream.api.windowed import WindowedStream
from raystream.connectors.base import Sink, Source

NOT_OURS = {"col", "lit", "__version__", "errors"}
PROTOCOLS = {*dir(Source), *dir(Sink)}
"""What the engine asks of sources and sinks."""

OF_THE_ENGINE = {
    "Kafka": {"settings", "consumer", "producer", "cluster", "transactions", "raw_log"},
    "Files": {"path_of", "open", "check_rows"},
    "Datagen": {"frame"},
    "Job": {"rows_since", "just_looking"},
    "Pipeline": {"add", "node", "schema"},
}

TOGETHER = {"Context", "List", "Process", "Value"}


def public() -> Iterator[tuple[str, Any]]:
    for name in sorted(set(rs.__all__) - NOT_OURS):
        yield name, getattr(rs, name)
    yield "feed", testing.feed
    for kind in [getattr(rs, name) for name in rs.__all__] + [KeyedStream, WindowedStream]:
        if inspect.isclass(kind) and kind.__module__.startswith("raystream"):
            hidden = PROTOCOLS | OF_THE_ENGINE.get(kind.__name__, set())
            for name, member in vars(kind).items():
                if callable_or_property(member) and not name.startswith("_") and name not in hidden:
                    example = inspect.getdoc(kind) or ""
                    if kind.__name__ not in TOGETHER or not re.search(rf"\b{name}\(", example):
                        yield f"{kind.__name__}.{name}", member


def callable_or_property(member: Any) -> bool:
    return isinstance(member, property | classmethod | staticmethod) or inspect.isfunction(member)


@pytest.mark.parametrize(("name", "value"), [pytest.param(*each, id=each[0]) for each in public()])
def test_it_has_an_example(name: str, value: Any) -> None:
    value = value.fget if isinstance(value, property) else value
    assert ">>> " in (inspect.getdoc(value) or ""), name
