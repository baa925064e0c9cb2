"""Errors of the user's functions, reported at the user's own line; row-by-row calls."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import length_hint
from pathlib import Path
from types import FrameType
from typing import Any

from raystream.errors import ConfigurationError, RaystreamError, UserCodeError
from raystream.operators.function_time import in_functions

_NOT_ITS_OWN = (KeyboardInterrupt, GeneratorExit)
"""External interrupts; SystemExit or a panic of Polars is the function's own."""

_OURS = str(Path(__file__).resolve().parents[1])


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception of a function.

    Args:
        index: Number of the row it was called with.
        reason: Type and text.
        where: The last line of the traceback that is neither ours nor a library's: the line that
            its author can change; else where the function was defined.
        cause: The exception.
    """

    index: int
    reason: str
    where: str
    cause: BaseException


@contextmanager
def user_code(function: Callable[..., Any]) -> Iterator[None]:
    """Turn what `function` raises into a UserCodeError; see Raised for its parts.

    Raises:
        UserCodeError: with the type and text of the exception, which is its cause.
    """
    try:
        yield
    except (RaystreamError, *_NOT_ITS_OWN):
        raise
    except BaseException as error:
        told = raised(function, error)
        raise UserCodeError(told.reason, told.where) from error


def raised(function: Callable[..., Any], error: BaseException, index: int = 0) -> Raised:
    """Describe an exception of a function for people."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the user's own kind of exception
        text = ""
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return Raised(index, what, _line(error) or defined_at(function), error)


def called(
    function: Callable[[Any], Any],
    rows: Sequence[Any],
    *,
    go_on: bool,
    keep: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> tuple[list[Any], list[Raised]]:
    """Call the function for each row; returns the results, and the rows for which it raised.

    Args:
        function: The user's.
        rows: Its arguments.
        go_on: Continue after a row for which it raised.
        keep: Converts the results to what is kept.

    >>> results, bad = called(lambda n: 6 // n, [1, 0, 2], go_on=True)
    >>> results, [(one.index, one.reason) for one in bad]
    ([6, 3], [(1, 'ZeroDivisionError: integer division or modulo by zero')])
    """
    results: list[Any] = []
    bad: list[Raised] = []
    rest = iter(rows)
    while len(results) + len(bad) < len(rows):
        try:
            with in_functions():
                results.extend(keep(map(function, rest)))  # keeps what came before an error
            if len(results) + len(bad) == len(rows):
                break
            error: BaseException = StopIteration("the function raised it")  # ends a map quietly
        except (RaystreamError, *_NOT_ITS_OWN):
            raise
        except BaseException as caught:  # noqa: BLE001 - whatever the user's code raises
            error = caught
        bad.append(raised(function, error, len(rows) - length_hint(rest) - 1))
        if not go_on:
            break
    return results, bad


def defined_at(function: Callable[..., Any]) -> str:
    """`file.py:12` of a function, or empty if it has no source."""
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def untyped(step: str, where: str) -> ConfigurationError:
    """The error for rows of a function with unknown types: each subtask would infer others."""
    what = f"step {step!r}: the types of what its function gives are not known"
    advice = "there were no rows when the job began: start it again, or declare them: schema="
    return ConfigurationError(what, where, advice)


def running_line(frame: FrameType) -> tuple[str, str] | None:
    """Line and name of the innermost function of the user in a stack; None: there is none.

    >>> import sys
    >>> def mine():
    ...     return running_line(sys._getframe())
    >>> mine()[1]
    'mine'
    """
    inner: FrameType | None = frame
    while inner is not None:
        code = inner.f_code
        if not _is_ours(code.co_filename) and "site-packages" not in code.co_filename:
            return f"{code.co_filename}:{inner.f_lineno}", code.co_name
        inner = inner.f_back
    return None


def _line(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not _is_ours(f.filename) and "site-packages" not in f.filename]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def _is_ours(filename: str) -> bool:
    return filename.startswith((_OURS, "<frozen")) or "/lib/python3" in filename
