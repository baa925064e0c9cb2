"""The kinds of value a field can have; a checker and the JSON Schema are both made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

REFERENCE = r"\$\{[^}]+\}"
"""What stands for a value that only the loader knows."""

NAME = r"[A-Za-z0-9_-]{1,60}"
DURATION = r"\s*\d+(?:\.\d+)?\s*(?:ms|s|m|h|d)\s*"
CALLABLE = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"


@dataclass(frozen=True, slots=True)
class Text:
    """Text.

    Args:
        what: What it is, for messages: `a name`, `a duration`.
        pattern: The whole text must match; empty: any text but none.
        advice: What to write instead of one that does not match.
        secret: May hold a secret.
        numbers: An unquoted number will do, too.
        reads: Raises ValueError where the text fits the pattern and still means nothing.
    """

    what: str = "text"
    pattern: str = ""
    advice: str = ""
    secret: bool = False
    numbers: bool = False
    reads: Callable[[str], object] | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """One of some words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `least` to `most`; `integer`: a whole one."""

    integer: bool = True
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """true or false."""


@dataclass(frozen=True, slots=True)
class AnyScalar:
    """Text, a number, true, false, or null; `secret`: it may hold one."""

    secret: bool = False


@dataclass(frozen=True, slots=True)
class AnyValue:
    """Whatever JSON can say."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """At least `least` of the same shape."""

    item: Shape
    least: int = 1


@dataclass(frozen=True, slots=True)
class MapOf:
    """Names to values of one shape; at least one.

    Args:
        value: Shape of the values.
        key: Pattern of the names; empty: any text but none.
        what: What the names are, for messages.
    """

    value: Shape
    key: str = ""
    what: str = "a name"


@dataclass(frozen=True, slots=True)
class ByKind:
    """Shape depends on whether a scalar, a list or a map is written."""

    scalar: Shape | None = None
    sequence: ListOf | None = None
    mapping: Record | MapOf | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record; `doc` is shown by editors."""

    shape: Shape
    doc: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A map with known fields.

    Args:
        what: What it is, for messages: `a source`.
        fields: By name.
        one_of: Groups of fields of which exactly one must be there.
        example: How one is written, for messages.
    """

    what: str
    fields: Mapping[str, Field]
    one_of: tuple[tuple[str, ...], ...] = ()
    example: str = ""


@dataclass(frozen=True, slots=True)
class Variants:
    """One of several records, told apart by a field that only one of them has (its verb).

    Args:
        what: What it is, for messages: `a step`.
        records: By verb, the most specific first: a verb may be a plain field of an earlier record.
    """

    what: str
    records: Mapping[str, Record]


Shape = (
    Text
    | Word
    | Number
    | Truth
    | AnyScalar
    | AnyValue
    | ListOf
    | MapOf
    | ByKind
    | Record
    | Variants
)


def one_or_more(item: Shape) -> ByKind:
    """One scalar, or a list of them."""
    return ByKind(scalar=item, sequence=ListOf(item))
