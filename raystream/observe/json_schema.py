"""The JSON Schema (draft-07) of the status document, made from its dataclasses."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin

from raystream.observe.json_form import shape_of
from raystream.observe.status import StatusDocument

_TYPES: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
_ARGUMENT = re.compile(r"^    (\w+): (.*?)(?=^    \w+: |^\S|\Z)", re.MULTILINE | re.DOTALL)


def status_schema() -> dict[str, Any]:
    """The schema; it is checked in as configs/status.schema.json.

    A document has all fields. New fields may be added without a new version: unknown ones are
    allowed.

    >>> status_schema()["required"][:3]
    ['job', 'state', 'uptime_s']
    """
    definitions: dict[str, Any] = {}
    document = _object(StatusDocument, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "raystream status",
        **document,
        "definitions": dict(sorted(definitions.items())),
    }


def _object(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    described = _arguments(kind)
    properties = {}
    for name, shape in shape_of(kind).items():
        properties[name] = _type(shape, definitions)
        if name in described:
            properties[name] = {"description": described[name], **properties[name]}
    summary = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]
    return {
        "description": summary,
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


def _type(shape: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if is_dataclass(shape):
        name = shape.__name__  # type: ignore[union-attr]
        if name not in definitions:
            definitions[name] = _object(shape, definitions)  # type: ignore[arg-type]
        # draft-07 ignores a reference next to other keywords
        return {"allOf": [{"$ref": f"#/definitions/{name}"}]}
    origin, arguments = get_origin(shape), get_args(shape)
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], definitions)}
    if origin is types.UnionType:
        return {"type": [_TYPES[each] for each in arguments]}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type(arguments[1], definitions)}
    return {"type": _TYPES[shape]} if shape in _TYPES else {}


def _arguments(kind: type) -> dict[str, str]:
    """Description of each field from the docstring."""
    _, found, rest = inspect.cleandoc(kind.__doc__ or "").partition("Args:\n")
    text = rest.partition("\n\n")[0]
    return (
        {name: " ".join(described.split()) for name, described in _ARGUMENT.findall(text)}
        if found
        else {}
    )
