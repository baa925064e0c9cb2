"""The native reader: records to columns in Rust (crate/), where `scripts/setup` could build it.

Without it everything works the same by the Python path. RAYSTREAM_NATIVE=0 turns it off, and
RAYSTREAM_NATIVE=1 refuses to start without it.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import Any

SWITCH = "RAYSTREAM_NATIVE"


def module() -> Any:
    """The compiled module; `_native.pyi` has its types.

    Raises:
        ImportError: says why there is none.
    """
    if switched() == "0":
        what = f"{SWITCH}=0"
        raise ImportError(what)
    found, reason = _loaded()
    if reason:
        raise ImportError(reason)
    return found


def why_not() -> str:
    """Why it cannot be used here; empty if it can.

    >>> why_not() in ("", "it is not built", "RAYSTREAM_NATIVE=0")
    True
    """
    try:
        module()
    except ImportError as error:
        return str(error)
    return ""


def switched() -> str:
    """Value of the switch: `0`, `1`, or empty: as it is built."""
    return os.environ.get(SWITCH, "").strip()


def demanded() -> bool:
    """Whether to refuse to start without it."""
    return switched() == "1"


@cache
def _loaded() -> tuple[Any, str]:
    try:
        return import_module("raystream.native._native"), ""
    except ModuleNotFoundError:
        return None, "it is not built"
    except ImportError as error:  # of another platform, or an older C library
        return None, str(error)
