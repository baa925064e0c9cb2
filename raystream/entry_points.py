"""What other packages add by entry points: verbs, sources, sinks, formats."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from raystream.errors import ConfigurationError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

VERBS = "raystream.operators"
"""name = "module:Class" of an operators.step.Step; the name is the verb."""

SOURCES = "raystream.sources"
"""name = "module:Class", a dataclass that is a connectors.base.Source."""

SINKS = "raystream.sinks"
"""name = "module:Class", a dataclass that is a connectors.base.Sink."""

FORMATS = "raystream.formats"
"""name = "module:Class", a dataclass that is a formats.base.Format."""

_MARK = b"[raystream."
"""In the metadata of a package that has one of these groups."""


def load(
    group: str, kind: str, ours: Mapping[str, Any], fits: Callable[[Any], bool]
) -> dict[str, Any]:
    """The classes that other packages add, by name; without any, nothing is imported.

    Args:
        group: Of the entry points.
        kind: For messages: `verb`, `source`.
        ours: Names that are taken.
        fits: Whether a loaded object is of the kind.

    Raises:
        ConfigurationError: one cannot be loaded, does not fit, or its name is taken.
    """
    found: dict[str, Any] = {}
    for point in _points(group) if some_package_names_us() else ():
        if point.name in ours or point.name in found:
            raise _refused(kind, point, f"there is a {kind} {point.name!r} already")
        found[point.name] = _loaded(kind, point, fits)
    return found


def _points(group: str) -> Any:
    from importlib.metadata import entry_points  # a sixth of the CPU of `raystream validate`

    return entry_points(group=group)


@cache
def some_package_names_us() -> bool:
    """Whether an installed package may have such a group; True where only the library can tell."""
    if sum(hasattr(finder, "find_distributions") for finder in sys.meta_path) > 1:
        return True
    return any(_may_name_us(place or os.curdir) for place in sys.path)


def _may_name_us(place: str) -> bool:
    """Whether this entry of `sys.path` holds metadata with our groups, or is no directory."""
    if not os.path.isdir(place):
        return os.path.exists(place)
    with os.scandir(place) as entries:
        names = [entry.name for entry in entries if entry.name.endswith((".egg", "-info"))]
    return any(name.endswith(".egg") or _names_us(os.path.join(place, name)) for name in names)


def _names_us(metadata: str) -> bool:
    try:
        with open(os.path.join(metadata, "entry_points.txt"), "rb") as file:
            return _MARK in file.read()
    except OSError:
        return False


def _loaded(kind: str, point: EntryPoint, fits: Callable[[Any], bool]) -> Any:
    try:
        found = point.load()
    except Exception as error:
        raise _refused(kind, point, f"{type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and fits(found)):
        raise _refused(kind, point, f"it is no {kind}, but {found!r}")
    return found


def _refused(kind: str, point: EntryPoint, why: str) -> ConfigurationError:
    package = point.dist.name if point.dist is not None else "a package"
    what = f"{package}: its {kind} {point.name!r} ({point.value}) cannot be used: {why}"
    return ConfigurationError(what, what_to_do="mend it, or uninstall the package")
