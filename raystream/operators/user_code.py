"""Errors of the user's functions, told at the user's own line."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raystream.errors import RaystreamError, UserCodeError

_OURS = str(Path(__file__).resolve().parents[1])


@contextmanager
def user_code(function: Callable[..., Any]) -> Iterator[None]:
    """Turn what `function` raises into a UserCodeError.

    `where` is the last line of the traceback that is neither ours nor a library's: the line that
    its author can change; else where the function was defined.

    Raises:
        UserCodeError: with the type and text of what was raised, which is its cause.
    """
    try:
        yield
    except RaystreamError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise UserCodeError(what, _line(error) or defined_at(function)) from error


def defined_at(function: Callable[..., Any]) -> str:
    """`file.py:12` of a function, or empty if it has no source."""
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def _line(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not _is_ours(f.filename) and "site-packages" not in f.filename]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def _is_ours(filename: str) -> bool:
    return filename.startswith((_OURS, "<frozen")) or "/lib/python3" in filename
