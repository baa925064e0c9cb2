"""Errors for a terminal: one message, the user's own line, no traceback."""

from __future__ import annotations

import os
import traceback

MAX_LINES = 10
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def of_user_code(error: BaseException) -> str:
    """Format an error that the user's file raised, in at most 10 lines that end on the cause.

    Args:
        error: With its traceback.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_users(f.filename)]
    if isinstance(error, SyntaxError):
        place = f"{_short(error.filename or '')}:{error.lineno}: "
        return _cut([f"{place}SyntaxError: {error.msg}"])
    lines = []
    for frame in frames[-3:]:
        lines += [f"{_short(frame.filename)}:{frame.lineno} in {frame.name}", f"    {frame.line}"]
    kind, text = type(error).__name__, str(error)
    return _cut([*lines, f"{kind}: {text}" if text else kind])


def _is_users(filename: str) -> bool:
    return not filename.startswith((_PACKAGE, "<frozen"))


def _short(filename: str) -> str:
    return filename.removeprefix(os.getcwd() + os.sep)


def _cut(lines: list[str]) -> str:
    every = "\n".join(lines).splitlines()
    return "\n".join(every[-MAX_LINES:])
