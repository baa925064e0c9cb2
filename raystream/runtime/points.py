"""Named points of a process: from an import path in the environment, else none.

The engine has no switch that weakens it; a test provides a factory `module:function` that is
called with the name of the process (`coordinator`, or a subtask such as `counts[0]`).
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping

from raystream.context import Points, nowhere

VARIABLE = "RAYSTREAM_POINTS"
_FOR_THE_FACTORY = "RAYSTREAM_TEST_"


def to_hand_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables about points, for processes that do not inherit the driver's environment.

    >>> to_hand_on({"HOME": "/root", "RAYSTREAM_POINTS": "module:function"})
    {'RAYSTREAM_POINTS': 'module:function'}
    """
    if VARIABLE not in environment:
        return {}
    return {k: v for k, v in environment.items() if k.startswith((VARIABLE, _FOR_THE_FACTORY))}


def points_of(process: str, environment: Mapping[str, str]) -> Points:
    """The points of this process.

    Args:
        process: `coordinator`, or the name of a subtask.
        environment: Variables passed on by the driver; they are set in this process.

    >>> points_of("coordinator", {}) is nowhere
    True
    """
    os.environ.update(environment)
    path = os.environ.get(VARIABLE, "")
    if not path:
        return nowhere
    module, _, function = path.partition(":")
    points: Points = getattr(importlib.import_module(module), function)(process)
    return points
