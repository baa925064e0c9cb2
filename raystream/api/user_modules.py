"""Modules of the user that other processes can not import by name travel whole, by value."""

from __future__ import annotations

import os
import sys
from types import ModuleType

_ADDED: set[str] = set()
"""Directories that we import from and that a worker does not know."""


def look_in(directory: str) -> None:
    """Import from this directory from now on, before any other.

    Args:
        directory: Where a file of the user is.
    """
    place = os.path.abspath(directory)
    if place not in sys.path:
        _ADDED.add(place)
        sys.path.insert(0, place)


def send_by_value(module: ModuleType) -> None:
    """Functions of this module, and of those beside it, travel whole to other processes.

    A worker has the working directory on its path, and what is installed; the directory of a file
    in a folder of it is on the driver's alone.

    Args:
        module: Of the user, imported a moment ago.
    """
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)
    elsewhere = _ADDED - {os.getcwd()}
    for name, loaded in list(sys.modules.items()):
        if "." not in name and _directory(loaded) in elsewhere:
            cloudpickle.register_pickle_by_value(loaded)


def _directory(module: ModuleType) -> str | None:
    """From where a module or package was imported."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    package = os.path.basename(file) == "__init__.py"
    return os.path.dirname(os.path.dirname(file)) if package else os.path.dirname(file)
