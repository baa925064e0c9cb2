"""SQL inside a pipeline file: every expression is parsed, and errors point into its text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from raystream.config.aggregate_text import AggregateText, NoAggregate, Part, parse_aggregate
from raystream.config.check import Value
from raystream.config.place import Problems
from raystream.config.yaml import Scalar

_PLACE = re.compile(r"\s*at Line: (\d+), Column: (\d+)")
_STRING = re.compile(r"'[^']*'")
_AGGREGATE = re.compile(
    r"\b(count|sum|min|max|avg|median|first|last|stddev|variance|var|corr|covar|row_number|rank"
    r"|dense_rank|lag|lead|array_agg|string_agg)\s*\(",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(
    r"(?:[-+*/%<>=,]|\b(?:and|or|not|like|in|is|between|case|when|then|else))\s*$", re.IGNORECASE
)
_CLASH = re.compile(r"[-+*/%]\s*[*/%=<>]|[<>=]\s+[<>=*/%]")
_QUOTED = re.compile(r"['`]([^'`]+)['`]")


def check_expressions(document: Value, problems: Problems) -> None:
    """Parse every SQL expression and aggregate of the steps.

    Args:
        document: As checked against the model.
        problems: Takes what does not parse.
    """
    steps = document.get("steps")
    for step in steps.data if steps is not None else []:
        for value, part in expressions(step, problems):
            if part.is_name:
                continue
            found = fault(part.text)
            if found is not None:
                message, offset = found
                add_inside(value, part.offset + offset, message, problems)


def expressions(step: Value, problems: Problems) -> Iterator[tuple[Value, Part]]:
    """Every SQL text of a step, with the scalar that it stands in."""
    for name in ("filter", "having"):
        value = step.get(name)
        if value is not None:
            yield value, Part(value.data, 0)
    for name in ("with_columns", "key_by"):
        value = step.get(name)
        if value is not None and isinstance(value.data, dict):
            for column in value.data.values():
                yield column, Part(column.data, 0)
    yield from _of_aggregates(step, problems)


def _of_aggregates(step: Value, problems: Problems) -> Iterator[tuple[Value, Part]]:
    aggregates = step.get("aggregate")
    for value in aggregates.data.values() if aggregates is not None else []:
        parsed = _parsed(value, problems)
        for part in (parsed.value, parsed.where) if parsed is not None else ():
            if part is not None:
                yield value, part


def _parsed(value: Value, problems: Problems) -> AggregateText | None:
    try:
        return parse_aggregate(value.data)
    except NoAggregate as error:
        add_inside(value, error.offset, str(error), problems)
        return None


def add_inside(value: Value, offset: int, message: str, problems: Problems) -> None:
    """Note a problem at a character of a scalar."""
    assert isinstance(value.node, Scalar)
    place = value.node.at(offset) if offset else value.place
    problems.add(place, value.path, message)


def fault(text: str) -> tuple[str, int] | None:
    """Why a text is no SQL expression, and at which character; None if it is one.

    >>> fault("status >= 400"), fault("quantile(x, 0.9)")
    (None, ("not SQL: unsupported function 'quantile'", 0))
    """
    import polars as pl

    try:
        pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        if reason.startswith("unable to parse"):
            return _where_it_breaks(text)
        return f"not SQL: {_PLACE.sub('', reason)}", _offset(reason, text)
    over_rows = _AGGREGATE.search(_STRING.sub(lambda match: " " * len(match[0]), text))
    if over_rows is not None:  # it would be computed per batch, whatever a batch happens to hold
        message = f"{over_rows[1]}() is over many rows; it belongs to an aggregate step"
        return message, over_rows.start()
    return None


def _offset(reason: str, text: str) -> int:
    place = _PLACE.search(reason)
    if place is not None:
        return int(place[2]) - 1 if place[1] == "1" else 0
    for word in _QUOTED.findall(reason):
        at = text.lower().find(word.split("(")[0].lower())
        if at >= 0:
            return at
    return 0


def _where_it_breaks(text: str) -> tuple[str, int]:
    """Polars does not tell: the bracket that is not closed, the operator that lacks a side."""
    bare = _STRING.sub(lambda match: "x" * len(match[0]), text)
    open_: list[int] = []
    for number, character in enumerate(bare):
        if character == "(":
            open_.append(number)
        elif character == ")" and open_:
            open_.pop()
    if open_:
        return "not SQL: a bracket is not closed", open_[-1]
    if _UNFINISHED.search(bare):
        return "not SQL: something is missing at the end", len(text.rstrip())
    clash = _CLASH.search(bare)
    if clash is not None:
        return "not SQL: two operators in a row", clash.end() - 1
    return "not SQL: it can not be read", 0
