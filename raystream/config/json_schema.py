"""The model as JSON Schema (draft-07): completion and checks in editors."""

from __future__ import annotations

from typing import Any

from raystream.config.model import PIPELINE
from raystream.config.shapes import (
    REFERENCE,
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

Json = dict[str, Any]
_REFERENCE: Json = {"type": "string", "pattern": REFERENCE}


def pipeline_schema() -> Json:
    """The schema of a whole file; what is included may miss what other files say."""
    whole = _whole(PIPELINE)
    required = {"required": whole.pop("required"), "allOf": whole.pop("allOf")}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "raystream pipeline",
        **whole,
        "anyOf": [{"required": ["include"]}, required],
        "definitions": {_slug(record): _whole(record) for record in _records(PIPELINE)},
    }


def _records(shape: Shape) -> list[Record]:
    """Every record below a shape, each once."""
    found: list[Record] = []
    for inner in _inner(shape):
        for record in [*([inner] if isinstance(inner, Record) else []), *_records(inner)]:
            found += [] if record in found else [record]
    return found


def _inner(shape: Shape) -> list[Shape]:
    match shape:
        case Record(fields=fields):
            return [field.shape for field in fields.values()]
        case Variants(records=records):
            return list(records.values())
        case MapOf(value=value):
            return [value]
        case ListOf(item=item):
            return [item]
        case ByKind():
            return [s for s in (shape.scalar, shape.sequence, shape.mapping) if s is not None]
        case _:
            return []


def _slug(record: Record) -> str:
    return record.what.removeprefix("a ").removeprefix("an ").replace(" ", "-").lower()


def schema_of(shape: Shape) -> Json:
    r"""The schema of one shape.

    >>> schema_of(Truth())
    {'anyOf': [{'type': 'boolean'}, {'type': 'string', 'pattern': '\\$\\{[^}]+\\}'}]}
    """
    match shape:
        case Record():
            return _record(shape)
        case Variants(records=records):
            return {"anyOf": [_record(record) for record in _distinct(records)]}
        case MapOf(value=value, key=key):
            names = {"pattern": f"^(?:{key})$"} if key else {"minLength": 1}
            return {
                "type": "object",
                "minProperties": 1,
                "propertyNames": names,
                "additionalProperties": schema_of(value),
            }
        case ListOf(item=item, least=least):
            return {"type": "array", "minItems": least, "items": schema_of(item)}
        case ByKind(scalar=scalar, sequence=sequence, mapping=mapping):
            kinds = [kind for kind in (scalar, sequence, mapping) if kind is not None]
            return {"anyOf": [schema_of(kind) for kind in kinds]}
        case _:
            return _scalar(shape)


def _distinct(records: Any) -> list[Record]:
    found: list[Record] = []
    for record in records.values():
        found += [] if record in found else [record]
    return found


def _record(record: Record) -> Json:
    return {"$ref": f"#/definitions/{_slug(record)}"}


def _field(shape: Shape, doc: str) -> Json:
    """With what editors show; draft-07 ignores whatever stands beside a $ref."""
    schema = schema_of(shape)
    return {"description": doc, **({"allOf": [schema]} if "$ref" in schema else schema)}


def _whole(record: Record) -> Json:
    fields = {name: _field(field.shape, field.doc) for name, field in record.fields.items()}
    made: Json = {"type": "object", "additionalProperties": False, "properties": fields}
    required = [name for name, field in record.fields.items() if field.required]
    if required:
        made["required"] = required
    if record.one_of:
        made["allOf"] = [_exactly_one(group) for group in record.one_of]
    return made


def _exactly_one(group: tuple[str, ...]) -> Json:
    return {"oneOf": [{"required": [name]} for name in group]}


def _scalar(shape: Shape) -> Json:
    match shape:
        case Text(pattern=pattern, numbers=numbers):
            return _text(pattern, numbers=numbers)
        case Word(words=words):
            return {"anyOf": [{"enum": list(words)}, _REFERENCE]}
        case Truth():
            return {"anyOf": [{"type": "boolean"}, _REFERENCE]}
        case Number():
            return {"anyOf": [_number(shape), _REFERENCE]}
        case AnyScalar():
            return {"type": ["string", "number", "boolean", "null"]}
        case AnyValue():
            return {}
        case _:
            raise TypeError(shape)


def _text(pattern: str, *, numbers: bool) -> Json:
    if not pattern:
        return {"type": ["string", "number"] if numbers else "string", "minLength": 1}
    either: list[Json] = [{"type": "string", "pattern": f"^(?:{pattern})$"}, _REFERENCE]
    return {"anyOf": [*either, {"type": "integer", "minimum": 0}] if numbers else either}


def _number(shape: Number) -> Json:
    made: Json = {"type": "integer" if shape.integer else "number"}
    if shape.least is not None:
        made["minimum"] = shape.least
    if shape.most is not None:
        made["maximum"] = shape.most
    return made
