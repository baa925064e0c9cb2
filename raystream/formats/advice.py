"""What to declare so that a record which does not fit its columns does."""

from __future__ import annotations

import re

_GOT = re.compile(
    r"Expected `(?P<was>\w+)(?: \| null)?`, got `(?P<got>\w+)` - at `(?P<name>[^`]+)`"
)
_BEYOND = re.compile(r"column '(?P<name>[^']+)': [+-]?\d+ is not U?Int\d+")
_LINE = re.compile(r"column '(?P<name>[^']+)': '(?P<text>[^']*)' is not Int64")
_NUMBER = re.compile(r"[+-]?\d*\.?\d+(?:[eE][+-]?\d+)?")


def declaration(reason: str) -> str | None:
    """`column: type` that would take the value; None where no type would.

    Args:
        reason: Why a decoder rejected the record.

    >>> declaration("Expected `int | null`, got `float` - at `price`")
    'price: float'
    >>> declaration("column 'id': 9223372036854775808 is not Int64")
    'id: decimal(38,0)'
    """
    if found := _GOT.search(reason):
        word = _wider(found["was"], found["got"])
        return None if word is None else f"{found['name']}: {word}"
    if found := _BEYOND.search(reason):
        return f"{found['name']}: decimal(38,0)"
    if found := _LINE.search(reason):
        word = "float" if _NUMBER.fullmatch(found["text"]) else "string"
        return f"{found['name']}: {word}"
    return None


def _wider(was: str, got: str) -> str | None:
    """No type takes numbers and text; an object has fields that must be told."""
    if (was, got) == ("int", "float"):
        return "float"
    return "its fields, as a class" if got == "object" else None
