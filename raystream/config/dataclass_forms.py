"""Forms of what other packages add: the fields of a dataclass are its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from dataclasses import Field as ClassField
from dataclasses import fields as fields_of
from typing import Any

from raystream.config.shapes import AnyValue, ByKind, Field, Record


def form_of(what: str, kind: Any, without: tuple[str, ...] = ()) -> ByKind:
    """A mapping from option to value.

    Args:
        what: For messages: `the step every`.
        kind: The dataclass.
        without: Fields that are written elsewhere.
    """
    fields = [each for each in fields_of(kind) if each.init and each.name not in without]
    options = {each.name: Field(AnyValue(), each.name, required=_required(each)) for each in fields}
    return ByKind(mapping=Record(what, options))


def first_line(kind: Any, name: str) -> str:
    """The first line of its docstring."""
    return str(kind.__doc__ or name).strip().splitlines()[0]


def forms_of(kind: str, others: Mapping[str, Any]) -> dict[str, Field]:
    """A field for each source, sink or format of other packages, by name."""
    return {
        name: Field(form_of(f"the {kind} {name}", each), first_line(each, name))
        for name, each in others.items()
    }


def _required(field: ClassField[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
