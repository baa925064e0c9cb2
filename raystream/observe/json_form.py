"""Convert frozen dataclasses to and from JSON types by their annotations; skip unknown fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Convert to JSON types: a dataclass by its field names, tuples as lists.

    >>> from raystream.observe.flow import EdgeStatus
    >>> to_json((EdgeStatus("read", "count", "hash"),))
    [{'source': 'read', 'target': 'count', 'kind': 'hash', 'tag': 'main'}]
    """
    if is_dataclass(value):
        return {each.name: to_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(each) for key, each in value.items()}
    return [to_json(each) for each in value] if isinstance(value, list | tuple) else value


def from_json(kind: type[T], document: Mapping[str, Any]) -> T:
    """Rebuild the dataclass; unknown fields (of a newer raystream) are ignored, at any depth.

    Raises:
        ValueError: a field without a default is missing.

    >>> from raystream.observe.flow import EdgeStatus
    >>> from_json(EdgeStatus, {"source": "a", "target": "b", "colour": "blue"}).kind
    'forward'
    """
    shape = shape_of(kind)  # type: ignore[arg-type] # mypy: type[T] is not a Hashable
    known = {name: _read(shape[name], document[name]) for name in shape if name in document}
    missing = [name for name in required(kind) if name not in known]
    if missing:
        text = f"{kind.__name__} without {', '.join(missing)}"
        raise ValueError(text)
    return kind(**known)


@cache
def shape_of(kind: type) -> dict[str, Any]:
    """Field name -> type, in order."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def required(kind: type) -> list[str]:
    """Fields that have no default."""
    return [
        each.name
        for each in fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    ]


def _read(shape: Any, value: Any) -> Any:
    if is_dataclass(shape):
        return from_json(shape, value)  # type: ignore[arg-type]
    if get_origin(shape) is tuple:
        return tuple(_read(get_args(shape)[0], each) for each in value)
    return value
