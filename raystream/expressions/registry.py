"""All functions and operators, found by name."""

from __future__ import annotations

import difflib
import re

from raystream.expressions import (
    arithmetic,
    codes,
    dates,
    hashes,
    json_text,
    logic,
    numbers,
    objects,
    texts,
    times,
)
from raystream.expressions.problem import Problem
from raystream.expressions.refused import why_refused
from raystream.expressions.table import Function

FUNCTIONS: tuple[Function, ...] = (
    *arithmetic.FUNCTIONS,
    *logic.FUNCTIONS,
    *texts.FUNCTIONS,
    *codes.FUNCTIONS,
    *hashes.FUNCTIONS,
    *numbers.FUNCTIONS,
    *times.FUNCTIONS,
    *dates.FUNCTIONS,
    *objects.FUNCTIONS,
    *json_text.FUNCTIONS,
)
BY_NAME: dict[str, Function] = {
    name: function for function in FUNCTIONS for name in (function.name, *function.also)
}
_CALLED = re.compile(r"[a-z]\w*")


def function(name: str, at: int) -> Function:
    """The function of a name.

    Raises:
        Problem: there is none, or it cannot be in an expression.
    """
    found = BY_NAME.get(name)
    if found is not None:
        return found
    refused = why_refused(name)
    if refused is not None:
        message, advice = refused
        raise Problem(message, at, advice)
    known = [each for each in BY_NAME if _CALLED.fullmatch(each)]
    advice = f"near are {', '.join(difflib.get_close_matches(name, known, 3, 0.0))}"
    close = difflib.get_close_matches(name, known, 1, 0.7)
    if close:
        advice = f"did you mean {close[0]!r}?"
    message = f"no function {name!r}"
    raise Problem(message, at, advice)
