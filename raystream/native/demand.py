"""The error of a user who wants no run without the native reader."""

from __future__ import annotations

from raystream.errors import ConfigurationError
from raystream.native import SWITCH


def missing(reason: str) -> ConfigurationError:
    """There is none, because of `reason`."""
    what = f"there is no native reader: {reason}"
    advice = f"unset {SWITCH}, or run scripts/setup where cargo is on PATH"
    return ConfigurationError(what, f"{SWITCH}=1", advice)
