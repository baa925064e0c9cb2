"""Sources and sinks by their names in pipeline files: ours, and those of other packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Any

from raystream import entry_points

SOURCES = ("kafka", "files", "datagen")
"""Ours."""

SINKS = ("kafka", "files")
"""Ours."""


@cache
def other_sources() -> Mapping[str, Any]:
    """Sources of other packages: dataclasses by name.

    Raises:
        ConfigurationError: one cannot be loaded, is no source, or its name is taken.

    >>> other_sources()
    {}
    """
    return entry_points.load(entry_points.SOURCES, "source", dict.fromkeys(SOURCES), _is_source)


@cache
def other_sinks() -> Mapping[str, Any]:
    """Sinks of other packages: dataclasses by name.

    Raises:
        ConfigurationError: one cannot be loaded, is no sink, or its name is taken.
    """
    return entry_points.load(entry_points.SINKS, "sink", dict.fromkeys(SINKS), _is_sink)


def _is_source(found: type) -> bool:
    from raystream.connectors.base import Source

    return is_dataclass(found) and _has_all(found, Source)


def _is_sink(found: type) -> bool:
    from raystream.connectors.base import Sink

    return is_dataclass(found) and _has_all(found, Sink)


def _has_all(found: type, protocol: type) -> bool:
    return all(hasattr(found, name) for name in vars(protocol) if not name.startswith("_"))
