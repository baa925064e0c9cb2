"""Documents of jobs that run an older raystream: what they do not know has its default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def completed(value: T) -> T:
    """Give their defaults to the fields that a received document lacks, at any depth.

    A pickled one holds its fields by position, so new fields are the last ones of their class.

    >>> from raystream.observe.flow import EdgeStatus
    >>> edge = object.__new__(EdgeStatus)
    >>> for name, known in (("source", "a"), ("target", "b"), ("kind", "hash")):
    ...     object.__setattr__(edge, name, known)
    >>> completed((edge,))
    (EdgeStatus(source='a', target='b', kind='hash', tag='main'),)
    """
    if is_dataclass(value):
        for each in fields(value):
            if not hasattr(value, each.name):
                object.__setattr__(value, each.name, _default(each))
            completed(getattr(value, each.name))
    elif isinstance(value, list | tuple):
        for part in value:
            completed(part)
    elif isinstance(value, Mapping):
        for part in value.values():
            completed(part)
    return value


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default
