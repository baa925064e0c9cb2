"""Mistakes that show when a document is compiled, with their place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from raystream.api.environment import PREFIX
from raystream.api.origin import written_at
from raystream.config.check import Value
from raystream.config.place import InvalidFile, Place, Problems
from raystream.config.yaml import Scalar
from raystream.errors import ConfigurationError
from raystream.expressions.problem import BadExpression

_NO_COLUMN = re.compile(r"no column '([^']+)'")
_STEP = re.compile(r"(.+):([0-9]+):([0-9]+)")
"""Where a step of a pipeline file is written."""
_PYTHON_ADVICE = (
    (re.compile(r"write rs\.Kafka\(\.\.\., (\w+)=\.\.\.\)"), r"write \1: beside bootstrap_servers"),
    (re.compile(r"\b(name|group_id)=$"), r"\1:"),
)
"""Advice that speaks of Python, and the same for YAML."""


class NotBuilt(Exception):
    """A part could not be built; its mistake is noted."""


class Notes:
    """Collects mistakes, so that all of a file are told at once."""

    def __init__(self) -> None:
        self._problems = Problems()

    def raise_if_any(self) -> None:
        """Raise InvalidFile with all mistakes."""
        self._problems.raise_if_any()

    def attempt(self, build: Any, *arguments: Any) -> Any:
        """What `build` returns; None if its mistake is noted."""
        try:
            return build(*arguments)
        except NotBuilt:
            return None

    @contextmanager
    def noting(self, value: Value, within: Value | None = None) -> Iterator[None]:
        """Steps made inside are written at `within`; what is wrong with them is at `value`.

        Raises:
            NotBuilt: something was wrong, and is noted.
            ConfigurationError: a variable of the environment is wrong, not the file.
        """
        try:
            with written_at((within or value).place.origin()):
                yield
        except InvalidFile:
            raise
        except ConfigurationError as error:
            if error.where.startswith(PREFIX):
                raise
            self._note(error, value, within or value)
            raise NotBuilt from error

    def _note(self, error: ConfigurationError, value: Value, within: Value) -> None:
        place, path = _of_step(error, value) or _place_of(error, value, within)
        advice = f"; {_for_yaml(error.what_to_do)}" if error.what_to_do else ""
        last = re.escape(path.rpartition(".")[2])
        what = getattr(error, "fault", error.what)
        text = re.sub(rf"^(?:agg|{last}): |^with_columns\({last}=\): ", "", what)
        self._problems.add(place, path, text + advice)


def _of_step(error: ConfigurationError, value: Value) -> tuple[Place, str] | None:
    """The step that an error of the plan names; None: the error is of a part of the file."""
    found = None if value.path else _STEP.fullmatch(error.where)
    if found is None or found[1] != value.place.file:
        return None
    return Place(found[1], int(found[2]), int(found[3])), ""


def _place_of(error: ConfigurationError, value: Value, within: Value) -> tuple[Place, str]:
    """Where an expression is wrong or a column is named that does not exist, else the value."""
    if isinstance(error, BadExpression):
        for scalar in within.scalars():
            start = str(scalar.data).find(error.text)
            if start >= 0 and not scalar.path.endswith((".name", ".from")):
                return _inside(scalar, start + error.offset)
    column = _NO_COLUMN.search(error.what)
    for scalar in within.scalars() if column is not None else ():
        assert isinstance(scalar.node, Scalar)
        assert column is not None
        at = re.search(rf"(?<!\w){re.escape(column[1])}(?!\w)", scalar.node.text)
        if at is not None and not scalar.path.endswith((".name", ".from")):
            return _inside(scalar, at.start())
    output = value.get(error.what.partition(": ")[0])
    return (output or value).place, (output or value).path


def _inside(scalar: Value, offset: int) -> tuple[Place, str]:
    """A character of a scalar."""
    assert isinstance(scalar.node, Scalar)
    return scalar.node.at(offset) if offset else scalar.place, scalar.path


def _for_yaml(advice: str) -> str:
    for pattern, words in _PYTHON_ADVICE:
        advice = pattern.sub(words, advice)
    return advice
