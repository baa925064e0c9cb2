"""`sum(price where status = 200)` -> its parts; only the inner expressions are SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from raystream.api.peers import RENAMED
from raystream.graph.aggregates import AggregateKind
from raystream.graph.nearest import did_you_mean

_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\(")
_CONDITION = re.compile(r"\s*(?:filter\s*(?P<filter>\()\s*)?where\b", re.IGNORECASE)
_NAME = re.compile(r"\s*[A-Za-z_]\w*\s*")


class NoAggregate(Exception):
    """The text is not an aggregate.

    Args:
        message: Why.
        offset: At which character.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Part:
    """An SQL expression inside a longer text."""

    text: str
    offset: int

    @property
    def is_name(self) -> bool:
        """Whether it is just a column: then there is nothing to parse."""
        return _NAME.fullmatch(self.text) is not None


@dataclass(frozen=True, slots=True)
class AggregateText:
    """What `name(value where condition)` says."""

    kind: AggregateKind
    value: Part | None
    where: Part | None


def parse_aggregate(text: str) -> AggregateText:
    """The parts of an aggregate.

    Args:
        text: `count()`, `count(*)`, `sum(price)`, `count(where status >= 500)`; the condition may
            stand behind the brackets: `sum(price) where ..`, `sum(price) filter (where ..)`.

    Raises:
        NoAggregate: it is not of that form.

    >>> parse_aggregate("sum(a * (b + 1) where c = ' where ')").where
    Part(text="c = ' where '", offset=22)
    """
    call = _CALL.match(text)
    if call is None:
        message = f"{text!r} is not an aggregate; for example count(), sum(price)"
        raise NoAggregate(message, 0)
    kind = _kind(call[1], call.start(1))
    end = _closing(text, call.end() - 1)
    value, where = _split(text, call.end(), end)
    behind = _behind(text, end + 1)
    if where is not None and behind is not None:
        message = "there is a condition in the brackets already; join both with and"
        raise NoAggregate(message, behind.offset)
    if value is None and kind is not AggregateKind.COUNT:
        message = f"{kind} needs a value; write {kind}(column)"
        raise NoAggregate(message, call.end())
    return AggregateText(kind, value, where or behind)


def _behind(text: str, start: int) -> Part | None:
    """The condition behind the brackets: `where c`, or SQL's `filter (where c)`."""
    rest = text[start:]
    if not rest.strip():
        return None
    found = _CONDITION.match(text, start)
    if found is None:
        offset = start + len(rest) - len(rest.lstrip())
        message = f"{rest.strip()!r} behind the aggregate; compute with it in a with_columns step"
        raise NoAggregate(message, offset)
    if found["filter"] is None:
        return _needed(text, found.end(), len(text))
    end = _closing(text, found.start("filter"))
    if text[end + 1 :].strip():
        message = f"{text[end + 1 :].strip()!r} behind the aggregate"
        raise NoAggregate(message, end + 1)
    return _needed(text, found.end(), end)


def _kind(name: str, offset: int) -> AggregateKind:
    known = [str(kind) for kind in AggregateKind]
    if name.lower() in known:
        return AggregateKind(name.lower())
    renamed = RENAMED.get(name.lower())
    advice = f"did you mean {renamed!r}?" if renamed in known else did_you_mean(name, known)
    message = f"unknown aggregate {name!r}; {advice}"
    raise NoAggregate(message, offset)


def _closing(text: str, opening: int) -> int:
    depth = 0
    for number, character in _outside_quotes(text, opening):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return number
    message = "a bracket is not closed"
    raise NoAggregate(message, opening)


def _split(text: str, start: int, end: int) -> tuple[Part | None, Part | None]:
    """What is before and behind the word `where`, outside quotes and inner brackets."""
    depth = 0
    for number, character in _outside_quotes(text, start):
        if number >= end:
            break
        depth += (character == "(") - (character == ")")
        if depth == 0 and _word_at(text, number, "where"):
            return _part(text, start, number), _needed(text, number + len("where"), end)
    return _part(text, start, end), None


def _needed(text: str, start: int, end: int) -> Part:
    part = _part(text, start, end)
    if part is None:
        message = "where needs a condition; for example where status >= 500"
        raise NoAggregate(message, end)
    return part


def _part(text: str, start: int, end: int) -> Part | None:
    inner = text[start:end]
    stripped = inner.strip()
    if stripped in ("", "*"):
        return None
    return Part(stripped, start + len(inner) - len(inner.lstrip()))


def _word_at(text: str, number: int, word: str) -> bool:
    end = number + len(word)
    before = text[number - 1 : number] if number else ""
    after = text[end : end + 1]
    return (
        text[number:end].lower() == word
        and not (before.isalnum() or before == "_")
        and not (after.isalnum() or after == "_")
    )


def _outside_quotes(text: str, start: int) -> Iterator[tuple[int, str]]:
    quote = ""
    for number in range(start, len(text)):
        character = text[number]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            yield number, character
