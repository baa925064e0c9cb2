"""Comparisons, and / or / not with null as SQL has it, and choices that compute one branch only."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl

from raystream.expressions.casts import of_text
from raystream.expressions.problem import Problem
from raystream.expressions.table import Arguments, Function
from raystream.expressions.values import (
    NULL,
    TRUTH,
    WIDE,
    Fault,
    Typed,
    guarded,
    is_fine,
    literal,
    made,
    to_type,
    together,
)

COMPARISON, CHOICE = "Comparison and logic", "Choice"


def alike(parts: Sequence[Typed], at: int) -> list[Typed]:
    """The parts with one type, to be compared; whole numbers of any width are compared exactly."""
    parts = _whole_literals(parts)
    integers = [part for part in parts if part.kind == "integer"]
    if len({part.dtype for part in integers}) > 1 and len(integers) == len(parts):
        return [replace(p, value=p.value.cast(WIDE), dtype=WIDE) for p in parts]
    if any(map(is_fine, parts)) and len({part.dtype for part in parts}) > 1:
        return _in_nanoseconds(parts, at)
    return together(parts, at, of_text)


def _in_nanoseconds(parts: Sequence[Typed], at: int) -> list[Typed]:
    """Moments or intervals of different units as numbers, so that no digit is lost."""
    for part in parts:
        if part.kind == "string" and re.search(r"\.\d{6}\d*[1-9]", str(part.constant)):
            message = "text beside a time is read to the microsecond; this one has more digits"
            raise Problem(message, part.at, "leave them out, and compare with < or >=")
    pairs = zip(parts, together(parts, at, of_text), strict=True)
    return [_counted(part, common) for part, common in pairs]


def _counted(part: Typed, common: Typed) -> Typed:
    fine = is_fine(part)
    number = (part if fine else common).value.to_physical().cast(WIDE)
    faults = part.faults if fine else common.faults
    value = number if fine else number * 1000
    return Typed(value, WIDE, part.at, faults, name=part.name)


def _whole_literals(parts: Sequence[Typed]) -> list[Typed]:
    """`n = 5.0` compares whole numbers, where a float would lose digits."""
    if any(part.kind not in ("integer", "null") and not part.loose for part in parts):
        return list(parts)
    return [_whole(part) for part in parts]


def _whole(part: Typed) -> Typed:
    number = part.constant
    if isinstance(number, Decimal) and number == int(number) and abs(number) < 2**63:
        return literal(int(number), part.at)
    return part


def _ordered(parts: Sequence[Typed], given: Arguments) -> None:
    for part in parts:
        if part.kind in ("list", "object"):
            message = f"{given.name} does not order {part.kind}s"
            raise Problem(message, given.at, "compare their fields")


def _comparison(operation: Callable[[Any, Any], Any]) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        parts = alike(given.parts, given.at)
        _ordered(parts, given)
        if parts[0].dtype == NULL:
            return given.gives(pl.lit(None, TRUTH), TRUTH)
        value = operation(parts[0].value, parts[1].value)
        return made(value, TRUTH, parts, given.at)

    return build


def _distinct(same: bool) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        left, right = alike(given.parts, given.at)
        _ordered((left, right), given)
        equal = left.value.eq_missing(right.value)
        return made(equal if same else ~equal, TRUTH, (left, right), given.at)

    return build


def _between(given: Arguments) -> Typed:
    parts = alike(given.parts, given.at)
    _ordered(parts, given)
    if parts[0].dtype == NULL:
        return given.gives(pl.lit(None, TRUTH), TRUTH)
    value, low, high = (part.value for part in parts)
    return made((value >= low) & (value <= high), TRUTH, parts, given.at)


def _in(given: Arguments) -> Typed:
    parts = alike(given.parts, given.at)
    _ordered(parts, given)
    if parts[0].dtype == NULL:
        return given.gives(pl.lit(None, TRUTH), TRUTH)
    options = parts[1:]
    if len(options) > 8 and all(part.written and part.constant is not None for part in options):
        values = pl.concat([pl.select(option.value.alias("x")) for option in options])
        found = parts[0].value.is_in(values["x"].to_list())
        return made(found, TRUTH, parts, given.at)
    found = parts[0].value == options[0].value
    for option in options[1:]:
        found |= parts[0].value == option.value
    return made(found, TRUTH, parts, given.at)


def _truths(given: Arguments) -> list[Typed]:
    for part in given.parts:
        if part.kind not in ("boolean", "null"):
            message = f"{given.name} needs conditions; this is {_a(part.kind)}"
            raise Problem(message, part.at, "write a comparison, for instance n > 0")
    return [to_type(part, TRUTH) for part in given.parts]


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeio' else 'a'} {word}"


def _and(given: Arguments) -> Typed:
    return _chain(given, operator.and_, decides=False)


def _or(given: Arguments) -> Typed:
    return _chain(given, operator.or_, decides=True)


def _chain(given: Arguments, operation: Callable[[Any, Any], Any], *, decides: bool) -> Typed:
    """A part behind one that decides is not computed, so it cannot fail."""
    first, *rest = _truths(given)
    value, faults = first.value, first.faults
    for part in rest:
        counts = ~value.fill_null(value=False) if decides else value.fill_null(value=True)
        faults += guarded(part, counts)
        value = operation(value, part.value)
    return Typed(value, TRUTH, given.at, faults)


def _not(given: Arguments) -> Typed:
    [part] = _truths(given)
    return given.gives(~part.value, TRUTH)


def _is_null(given: Arguments) -> Typed:
    return given.gives(given[0].value.is_null(), TRUTH)


def _is_truth(wanted: bool) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        [part] = _truths(given)
        value = part.value if wanted else ~part.value
        return given.gives(value.fill_null(value=False), TRUTH)

    return build


# -- choices -----------------------------------------------------------------------------------


def choice(branches: Sequence[tuple[Typed, Typed]], otherwise: Typed, at: int) -> Typed:
    """CASE: of each row only the conditions up to the chosen one, and its value, can fail."""
    values = together([value for _, value in branches] + [otherwise], at, of_text)
    faults: tuple[Fault, ...] = ()
    open_ = pl.lit(value=True)
    chosen: Any = pl
    for (condition, _), value in zip(branches, values[:-1], strict=True):
        faults += guarded(condition, open_)
        taken = condition.value.fill_null(value=False)
        faults += guarded(value, open_ & taken)
        open_ &= ~taken
        chosen = chosen.when(condition.value).then(value.value)
    faults += guarded(values[-1], open_)
    return Typed(chosen.otherwise(values[-1].value), values[-1].dtype, at, faults)


def condition(part: Typed) -> Typed:
    """The part, which must be a condition.

    Raises:
        Problem: it is none.
    """
    if part.kind not in ("boolean", "null"):
        message = f"a condition is true or false; this is {_a(part.kind)}"
        raise Problem(message, part.at, "write a comparison, for instance n > 0")
    return to_type(part, TRUTH)


def _if(given: Arguments) -> Typed:
    otherwise = given[2] if len(given) > 2 else literal(None, given.at)
    return choice([(condition(given[0]), given[1])], otherwise, given.at)


def _coalesce(given: Arguments) -> Typed:
    parts = together(given.parts, given.at, of_text)
    faults = parts[0].faults
    missing = parts[0].value.is_null()
    for part in parts[1:]:
        faults += guarded(part, missing)
        missing &= part.value.is_null()
    return Typed(pl.coalesce([p.value for p in parts]), parts[0].dtype, given.at, faults)


def _nullif(given: Arguments) -> Typed:
    left, right = alike(given.parts, given.at)
    if left.dtype == NULL:
        return given[0]
    same = (left.value == right.value).fill_null(value=False)
    value = pl.when(~same).then(given[0].value)
    return made(value, given[0].dtype, (left, right), given.at)


def _extreme(better: Callable[[Any, Any], Any]) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        parts = together(given.parts, given.at, of_text)
        _ordered(parts, given)
        found = parts[0].value
        for part in parts[1:]:  # by < and >, for which NaN is the greatest
            take = better(part.value, found).fill_null(value=False) | found.is_null()
            found = pl.when(take).then(part.value).otherwise(found)
        return made(found, parts[0].dtype, parts, given.at)

    return build


FUNCTIONS = (
    Function(COMPARISON, "=", "any any", "Equal; null if one is null. NaN equals NaN. A whole number and a float are compared as floats. Also `==`.", _comparison(operator.eq), shown="a = b", differs="Text and numbers, or conditions and numbers, are refused: cast one. Text that is written out is read as a time beside a time."),
    Function(COMPARISON, "<>", "any any", "Not equal; null if one is null. Also `!=`.", _comparison(operator.ne), shown="a <> b"),
    Function(COMPARISON, "<", "any any", "Less. NaN is greater than every number; text is compared by its code points, false is less than true.", _comparison(operator.lt), shown="a < b"),
    Function(COMPARISON, "<=", "any any", "Less or equal.", _comparison(operator.le), shown="a <= b"),
    Function(COMPARISON, ">", "any any", "Greater.", _comparison(operator.gt), shown="a > b"),
    Function(COMPARISON, ">=", "any any", "Greater or equal.", _comparison(operator.ge), shown="a >= b"),
    Function(COMPARISON, "between", "any any any", "`a >= b and a <= c`.", _between, shown="a between b and c"),
    Function(COMPARISON, "in", "any any ..", "Equal to one of them; null if none is and one is null.", _in, shown="a in (b, c)"),
    Function(COMPARISON, "is null", "any", "Whether there is no value. NaN is a value.", _is_null, shown="a is null"),
    Function(COMPARISON, "is distinct from", "any any", "As `<>`, but null is a value like others: never null.", _distinct(same=False), shown="a is distinct from b"),
    Function(COMPARISON, "is not distinct from", "any any", "As `=`, but null is a value like others: never null.", _distinct(same=True), shown="a is not distinct from b"),
    Function(COMPARISON, "is true", "any", "True, not false and not null.", _is_truth(wanted=True), shown="a is true"),
    Function(COMPARISON, "is false", "any", "False, not true and not null.", _is_truth(wanted=False), shown="a is false"),
    Function(COMPARISON, "and", "any any ..", "Both; false if one is false, whatever the other. Behind a false one nothing is computed, so nothing fails.", _and, shown="a and b", differs="Only conditions; a number is none."),
    Function(COMPARISON, "or", "any any ..", "One of them; true if one is true, whatever the other. Behind a true one nothing fails.", _or, shown="a or b"),
    Function(COMPARISON, "not", "any", "The opposite; null stays null.", _not, shown="not a"),
    Function(CHOICE, "if", "any any any?", "b where the condition a is true, else c (or null). Only the chosen one can fail.", _if, also=("iif",)),
    Function(CHOICE, "coalesce", "any any ..", "The first that is not null; what is behind it cannot fail.", _coalesce, also=("ifnull", "nvl")),
    Function(CHOICE, "nullif", "any any", "Null where both are equal, else a.", _nullif),
    Function(CHOICE, "greatest", "any any ..", "The greatest; nulls do not count.", _extreme(operator.gt)),
    Function(CHOICE, "least", "any any ..", "The least; nulls do not count.", _extreme(operator.lt)),
)  # fmt: skip
