"""Formats of other packages, by their names in pipeline files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Any

from raystream import entry_points

OURS = ("json", "raw", "csv")


@cache
def other_formats() -> Mapping[str, Any]:
    """Formats of other packages: dataclasses by name.

    Raises:
        ConfigurationError: one cannot be loaded, is no format, or its name is taken.

    >>> other_formats()
    {}
    """
    return entry_points.load(entry_points.FORMATS, "format", dict.fromkeys(OURS), _is_format)


def _is_format(found: type) -> bool:
    needed = ("name", "decoder", "encoder", "infer")
    return is_dataclass(found) and all(hasattr(found, name) for name in needed)
