"""A step as calls of Python's API; `explain --as python` prints them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OTHER_STREAMS = object()
"""Argument: the streams of all inputs except the first."""


@dataclass(frozen=True, slots=True)
class Call:
    """`.verb(arguments, columns, options)`.

    Args:
        verb: Name of the method.
        arguments: Positional; plain values, or those below.
        options: Keywords of the method.
        columns: Keywords that are columns: a map if a name is not a Python identifier.
    """

    verb: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """A duration."""

    value: int


@dataclass(frozen=True, slots=True)
class Connector:
    """A source or sink."""

    value: Any


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the user, by its module and name."""

    value: Any


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of a class of the user, made without arguments."""

    value: Any


@dataclass(frozen=True, slots=True)
class Made:
    """A dataclass of another package, built from its fields."""

    value: Any


@dataclass(frozen=True, slots=True)
class Declared:
    """Declared columns, without those that their source derives from metadata."""

    schema: Any
    source: Any = None
