"""SQL inside a pipeline file: every expression is parsed, and errors point into its text."""

from __future__ import annotations

from collections.abc import Iterator

from raystream.config.aggregate_text import AggregateText, NoAggregate, Part, parse_aggregate
from raystream.config.check import Value
from raystream.config.over_text import parse_over
from raystream.config.place import Problems
from raystream.config.yaml import Scalar


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
        other = parse_over(value.data) if step.get("over") is not None else None
        if other is not None:
            if other.value is not None:
                yield value, other.value
            continue
        parsed = _parsed(value, problems)
        for part in parsed.parts if parsed is not None else ():
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
    """Why a text is not an expression, and at which character; None if it is one.

    >>> fault("status >= 400"), fault("quantile(x, 0.9)")
    (None, ('quantile() is over many rows; it belongs to an aggregate step', 0))
    """
    from raystream.expressions.problem import BadExpression
    from raystream.expressions.syntax import check_text, may_be_name

    if may_be_name(text):
        return None
    try:
        check_text(text)
    except BadExpression as error:
        return error.message, error.offset
    return None
