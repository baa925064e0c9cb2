"""Names of side outputs of steps that were fused into one."""

from __future__ import annotations

from raystream.ids import StepName

ERRORS = "errors"
"""Dead letters of a step."""


def dead_letters_of(name: StepName) -> str:
    """Output for the dead letters of a step that was fused into another.

    >>> dead_letters_of("parse")
    'errors of parse'
    """
    return f"{ERRORS} of {name}"
