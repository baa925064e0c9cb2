"""Terminal output: colours only on a terminal, plain-text tables elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

STATES = {
    "running": "green",
    "recovering": "yellow",
    "deploying": "yellow",
    "stopping": "yellow",
    "failing": "red",
    "silent": "red",
    "failed": "red",
    "superseded": "red",
    "cancelled": "yellow",
}
"""Colours of the states of a job, and of bad outcomes."""

PROCESSES = ("cyan", "magenta", "blue", "green", "yellow")


def in_colour(stream: Any = None) -> bool:
    """Whether a stream gets colours: a terminal that supports them, unless the user disabled them.

    Args:
        stream: Default: standard output.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return on_terminal(stream) and os.environ.get("TERM") != "dumb"


def on_terminal(stream: Any = None) -> bool:
    """Whether a stream is a terminal.

    Args:
        stream: Default: standard output.
    """
    return bool((sys.stdout if stream is None else stream).isatty())


def console(*, stderr: bool = False) -> Console:
    """Rich console for the terminal, with our rule for colours.

    Args:
        stderr: Standard error instead of standard output.
    """
    from rich.console import Console

    coloured = in_colour(sys.stderr if stderr else sys.stdout)
    return Console(
        stderr=stderr,
        color_system="auto" if coloured else None,
        force_terminal=True if coloured else None,
        highlight=False,
    )


def painted(text: str, colour: str | None, stream: Any = None) -> str:
    """The text in a colour, if colours are shown.

    Args:
        text: What to write.
        colour: Its name; None: as it is.
        stream: Default: standard output.
    """
    return click.style(text, fg=colour) if colour and in_colour(stream) else text


def state(word: str) -> str:
    """A state or an outcome, in its colour.

    Args:
        word: See STATES.
    """
    return painted(word, STATES.get(word))


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align the cells of each column; colours take no width.

    Args:
        rows: The first is the header.

    >>> columns([("NAME", "STATE"), ("requests", "running")])
    ['NAME      STATE', 'requests  running']
    """
    widths = [
        max(len(click.unstyle(cell)) for cell in column) for column in zip(*rows, strict=True)
    ]
    return [_line(row, widths).rstrip() for row in rows]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = zip(row, widths, strict=True)
    return "  ".join(cell + " " * (width - len(click.unstyle(cell))) for cell, width in cells)


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows on standard output: plain columns, with a bold header on a terminal.

    Args:
        rows: The first is the header.
    """
    header, *others = columns(rows)
    print(click.style(header, bold=True) if in_colour() else header)
    for line in others:
        print(line)
