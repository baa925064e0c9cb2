"""Registry of verbs: ours, and those of other packages, by entry points."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from raystream.errors import ConfigurationError
from raystream.operators.dedupe.step import Dedupe
from raystream.operators.drop.step import Drop
from raystream.operators.filter.step import Filter
from raystream.operators.key_by.step import KeyBy
from raystream.operators.map_batches.step import MapBatches
from raystream.operators.read.step import Read
from raystream.operators.rename.step import Rename
from raystream.operators.rows.step import FilterRows, FlatMap, Map
from raystream.operators.select.step import Select
from raystream.operators.step import Step
from raystream.operators.union.step import Union
from raystream.operators.window.step import WindowAggregate
from raystream.operators.with_columns.step import WithColumns
from raystream.operators.with_event_time.step import WithEventTime
from raystream.operators.write.step import Write

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "raystream.operators"
"""Entry points of other packages: name = "module:Class" of a Step."""

OURS: tuple[type[Step], ...] = (
    Read,
    Filter,
    FilterRows,
    Select,
    WithColumns,
    Drop,
    Rename,
    Dedupe,
    Map,
    FlatMap,
    MapBatches,
    WithEventTime,
    Union,
    KeyBy,
    WindowAggregate,
    Write,
)


def formless() -> list[str]:
    """Verbs without their own form in pipeline files: their fields are the form."""
    return [word for word, step in verbs().items() if not step.form]


@cache
def verbs() -> Mapping[str, type[Step]]:
    """Every verb that users can call, by its word.

    Raises:
        ConfigurationError: an entry point cannot be loaded, is not a Step, or duplicates a word.

    >>> verbs()["filter"].__name__
    'Filter'
    """
    found = {step.word: step for step in OURS}
    for point in _points() if _some_package_names_us() else ():
        step = _loaded(point)
        if step.word in found:
            raise _refused(point, f"there is a verb {step.word!r} already")
        found[step.word] = step
    return found


def _points() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # a sixth of the CPU of `raystream validate`

    return entry_points(group=GROUP)


def _some_package_names_us() -> bool:
    """Whether an installed package may declare a verb; True where only the library can tell."""
    if sum(hasattr(finder, "find_distributions") for finder in sys.meta_path) > 1:
        return True
    return any(_may_name_us(place or os.curdir) for place in sys.path)


def _may_name_us(place: str) -> bool:
    """Whether this entry of `sys.path` holds metadata with our group, or is no directory."""
    if not os.path.isdir(place):
        return os.path.exists(place)
    with os.scandir(place) as entries:
        names = [entry.name for entry in entries if entry.name.endswith((".egg", "-info"))]
    return any(name.endswith(".egg") or _names_us(os.path.join(place, name)) for name in names)


def _names_us(metadata: str) -> bool:
    try:
        with open(os.path.join(metadata, "entry_points.txt"), "rb") as file:
            return GROUP.encode() in file.read()
    except OSError:
        return False


def _loaded(point: EntryPoint) -> type[Step]:
    try:
        step = point.load()
    except Exception as error:
        raise _refused(point, f"{type(error).__name__}: {error}") from error
    if not (isinstance(step, type) and issubclass(step, Step) and step.word):
        raise _refused(point, f"it is no step with a word, but {step!r}")
    return step


def _refused(point: EntryPoint, why: str) -> ConfigurationError:
    package = point.dist.name if point.dist is not None else "a package"
    what = f"{package}: its verb {point.name!r} ({point.value}) cannot be used: {why}"
    return ConfigurationError(what, what_to_do="mend it, or uninstall the package")
