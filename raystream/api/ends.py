"""Sources and sinks that users give to a read or a write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raystream.api.origin import at_call, wrong
from raystream.connectors.traits import sink_of, source_of


def checked_source(given: Any) -> Any:
    """The source that a read uses.

    Raises:
        ConfigurationError: it is none, or has options of a sink; with the user's line.
    """
    with at_call("read"):
        source = source_of(given)
    _check_has(source, ("discover", "reader", "learn"), "read", "a source")
    return source


def checked_sink(given: Any) -> Any:
    """The sink that a write uses.

    Raises:
        ConfigurationError: it is none, or has options of a source; with the user's line.
    """
    with at_call("write"):
        sink = sink_of(given)
    _check_has(sink, ("writer", "committer"), "write", "a sink")
    return sink


def _check_has(value: object, methods: Sequence[str], verb: str, kind: str) -> None:
    if isinstance(value, type) or not all(hasattr(value, method) for method in methods):
        text = f"{verb} takes {kind}, not {value!r}"
        raise wrong(text, "for example kafka.topic('requests')")
