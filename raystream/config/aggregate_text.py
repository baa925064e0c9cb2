"""`sum(price where status = 200)` -> its parts; only the inner expressions are SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from raystream.api.peers import RENAMED
from raystream.api.user_aggregates import UserAggregate
from raystream.graph.aggregates import ARGS, DISTINCT, Aggregate, AggregateKind
from raystream.graph.nearest import did_you_mean

_CALL = re.compile(r"\s*([A-Za-z_]\w*(?:(?:\.\w+)*:\w+)?)\s*\(")
_CONDITION = re.compile(r"\s*(?:filter\s*(?P<filter>\()\s*)?where\b", re.IGNORECASE)
_DISTINCT = re.compile(r"\s*distinct\b\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\s*(?:(limit|k|q)\s*=\s*)?([0-9.]+)\s*")
_NAME = re.compile(r"\s*[A-Za-z_]\w*\s*")


LIMITED = {
    AggregateKind.COLLECT: "limit",
    AggregateKind.TOP_K: "k",
    AggregateKind.QUANTILE: "q",
}
"""Aggregates with a number, and its name."""

_FORMS = {
    AggregateKind.ARG_MIN: "price, shop",
    AggregateKind.ARG_MAX: "price, shop",
    AggregateKind.COLLECT: "column, 100",
    AggregateKind.TOP_K: "column, 3",
    AggregateKind.QUANTILE: "column, 0.95",
}
_NUMBERS = {1: "one value", 2: "two values"}


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
    """What `name(value where condition)` says.

    Args:
        kind: Which aggregate.
        value: As in Aggregate.
        where: As in Aggregate.
        by: As in Aggregate.
        distinct: As in Aggregate.
        limit: As in Aggregate.
        quantile: As in Aggregate.
        user: `module:name` of an aggregate of the user.
        inputs: What it is computed of.
    """

    kind: AggregateKind
    value: Part | None
    where: Part | None
    by: Part | None = None
    distinct: bool = False
    limit: int | None = None
    quantile: float | None = None
    user: str | None = None
    inputs: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The SQL expressions in it."""
        every = (self.by, self.value, *self.inputs, self.where)
        return tuple(part for part in every if part is not None)

    def aggregate(self, user: Callable[[str], UserAggregate]) -> Aggregate:
        """The value that `rs.sum(..)` makes.

        Args:
            user: Imports an aggregate of the user.
        """
        if self.user is not None:
            condition = None if self.where is None else self.where.text
            return user(self.user)(*(part.text for part in self.inputs), where=condition)
        value, where, by = (p and p.text for p in (self.value, self.where, self.by))
        return Aggregate(self.kind, value, where, by, self.distinct, self.limit, self.quantile)


def parse_aggregate(text: str) -> AggregateText:
    """The parts of an aggregate.

    Args:
        text: `count()`, `count(*)`, `sum(price)`, `count(where status >= 500)`; the condition may
            stand behind the brackets: `sum(price) where ..`, `sum(price) filter (where ..)`.
            `sum(distinct price)`, `arg_max(price, shop)`, `collect(price, 100)`.

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
    distinct, arguments = _arguments(value)
    behind = _behind(text, end + 1)
    if where is not None and behind is not None:
        message = "there is a condition in the brackets already; join both with and"
        raise NoAggregate(message, behind.offset)
    place = call.end() if value is None else value.offset
    if call[1].lower() == "median":
        found = _median(arguments, place)
    elif ":" in call[1]:
        found = AggregateText(kind, None, None, user=call[1], inputs=tuple(arguments))
    else:
        found = _of_kind(kind, arguments, place)
    if distinct:
        found = _distinct(found, place)
    return replace(found, where=where or behind)


def _median(arguments: list[Part], place: int) -> AggregateText:
    if len(arguments) != 1:
        what = "takes one value" if arguments else "needs a value"
        message = f"median {what}; write median(column)"
        raise NoAggregate(message, place)
    return AggregateText(AggregateKind.QUANTILE, arguments[0], None, quantile=0.5)


def _of_kind(kind: AggregateKind, arguments: list[Part], place: int) -> AggregateText:
    """By what is in the brackets."""
    form = _FORMS.get(kind, "column")
    names = form.split(", ")
    if kind in LIMITED:
        if len(arguments) != len(names):
            message = f"{kind} needs a value and a number; write {kind}({form})"
            raise NoAggregate(message, place)
        if kind is AggregateKind.QUANTILE:
            return AggregateText(kind, arguments[0], None, quantile=_share(arguments[1], form))
        return AggregateText(kind, arguments[0], None, limit=_whole(kind, arguments[1], form))
    if len(arguments) > len(names):
        message = f"{kind} takes {_NUMBERS[len(names)]}; write {kind}({form})"
        raise NoAggregate(message, place)
    if not arguments and kind is not AggregateKind.COUNT:
        what = "needs a value" if kind not in ARGS else "needs what decides"
        message = f"{kind} {what}; write {kind}({form})"
        raise NoAggregate(message, place)
    first, second = [*arguments, None, None][:2]
    return (
        AggregateText(kind, second, None, first)
        if kind in ARGS
        else AggregateText(kind, first, None)
    )


def _distinct(found: AggregateText, place: int) -> AggregateText:
    if found.kind is AggregateKind.COUNT and found.value is not None:
        return replace(found, kind=AggregateKind.COUNT_DISTINCT)
    if found.kind not in DISTINCT:
        message = f"{found.kind} is the same of distinct values; leave distinct out"
        if found.user is not None:
            message = "an aggregate of the user has no distinct"
        if found.kind is AggregateKind.COUNT:
            message = "count(distinct ..) needs a value"
        raise NoAggregate(message, place)
    return replace(found, distinct=True)


def _whole(kind: AggregateKind, part: Part, form: str) -> int:
    """A number that stands for itself: `10`, `limit=10`."""
    found = _NUMBER.fullmatch(part.text)
    if found is None or not found[2].isdigit() or found[1] not in (None, LIMITED[kind]):
        message = f"{part.text!r} is not a whole number; write {kind}({form})"
        raise NoAggregate(message, part.offset)
    if int(found[2]) < 1:
        message = f"{kind}: {LIMITED[kind]} is {found[2]}, not 1 or more"
        raise NoAggregate(message, part.offset)
    return int(found[2])


def _share(part: Part, form: str) -> float:
    """From 0 to 1."""
    found = _NUMBER.fullmatch(part.text)
    if found is None or found[1] not in (None, "q") or not re.fullmatch(r"\d*\.?\d+", found[2]):
        message = f"{part.text!r} is not a number; write quantile({form})"
        raise NoAggregate(message, part.offset)
    if not 0 <= float(found[2]) <= 1:
        message = f"quantile: q is {found[2]}, not from 0 to 1"
        raise NoAggregate(message, part.offset)
    return float(found[2])


def _arguments(value: Part | None) -> tuple[bool, list[Part]]:
    """Whether `distinct` stands in front, and what commas divide, outside quotes and brackets."""
    if value is None:
        return False, []
    text = value.text
    word = _DISTINCT.match(text)
    behind = "" if word is None else text[word.end() : word.end() + 1]
    distinct = behind.isalnum() or behind in ("_", "(", '"', "'")
    begin = word.end() if word is not None and distinct else 0
    found, depth = [], 0
    for number, character in _outside_quotes(text, begin):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            found.append(_part(text, begin, number))
            begin = number + 1
    found.append(_part(text, begin, len(text)))
    if any(part is None for part in found):
        message = "an argument is missing beside a comma"
        raise NoAggregate(message, value.offset)
    return distinct, [Part(p.text, value.offset + p.offset) for p in found if p is not None]


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
    known = [str(kind) for kind in AggregateKind if kind is not AggregateKind.USER]
    if ":" in name:
        return AggregateKind.USER
    if name.lower() == "median":
        return AggregateKind.QUANTILE
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
