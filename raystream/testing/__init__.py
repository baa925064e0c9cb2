"""What tests of a pipeline, and of raystream itself, are made with.

For your own tests: `from raystream.testing import ADVANCE, CRASH, EOF, PAUSE, feed`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raystream.testing.feed import feed as feed
    from raystream.testing.markers import ADVANCE as ADVANCE
    from raystream.testing.markers import CRASH as CRASH
    from raystream.testing.markers import EOF as EOF
    from raystream.testing.markers import PAUSE as PAUSE

_WHERE = {
    "ADVANCE": "raystream.testing.markers",
    "CRASH": "raystream.testing.markers",
    "EOF": "raystream.testing.markers",
    "PAUSE": "raystream.testing.markers",
    "feed": "raystream.testing.feed",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    import importlib

    if name not in _WHERE:
        text = f"raystream.testing has no {name!r}"
        raise AttributeError(text)
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Importing the module feed would put it where `feed`, the function, is."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "feed" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
