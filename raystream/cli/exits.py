"""How a command ends: the fixed exit codes, and every error as one message on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

GOOD = 0
"""Finished, stopped, submitted; nothing wrong was found."""

FAILED = 1
"""The job failed, a test failed, or the command was interrupted."""

USAGE = 2
"""Wrong use or configuration, or refused: nothing was done."""

SUPERSEDED = 3
"""A newer run of the same job took over."""

IN_HELP = (
    "Exit codes: 0 finished or stopped, 1 failed, 2 wrong use or configuration or refused, "
    "3 superseded by a newer run of the same job."
)


def exit_code_of(action: Callable[[], object]) -> int:
    """Do it; what it returns, or the exit code of its error, whose message is printed.

    Args:
        action: Returns an exit code, or None for 0.

    >>> exit_code_of(lambda: None), exit_code_of(lambda: SUPERSEDED)
    (0, 3)
    """
    from raystream.errors import RaystreamError

    try:
        code = action()
    except click.exceptions.Abort:
        return _told("interrupted", FAILED)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except RaystreamError as error:
        return _told(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _told("interrupted", FAILED)
    return code if isinstance(code, int) else GOOD


def _told(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
