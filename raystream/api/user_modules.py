"""Send user modules that other processes cannot import by name by value."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from raystream.library_names import RESERVED

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


def load_file(path: str) -> ModuleType:
    """Load a Python file of the user, whatever its name is.

    If its name is that of a library, or of a module that is already loaded, the file is loaded
    under a private name.

    Args:
        path: The file.

    Raises:
        Exception: what the user's code raises.
    """
    name = os.path.basename(path).removesuffix(".py")
    look_in(os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(_name_for(name, path), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    send_by_value(module)
    return module


def import_module(name: str, directories: Sequence[str]) -> ModuleType:
    """Import a module by name, also one beside the job that has the name of a library.

    Args:
        name: `package.module`.
        directories: Where the user's modules are.

    Raises:
        ModuleNotFoundError: there is no such module.
        Exception: what the user's code raises.
    """
    if name in RESERVED:
        for directory in directories:
            path = os.path.join(directory, f"{name}.py")
            if os.path.isfile(path):
                return load_file(path)
    return importlib.import_module(name)


def _name_for(name: str, path: str) -> str:
    loaded = getattr(sys.modules.get(name), "__file__", None) or ""
    other = name in sys.modules and os.path.abspath(loaded) != os.path.abspath(path)
    return f"_pipeline_{name}" if name in RESERVED or other else name


def send_by_value(module: ModuleType) -> None:
    """Send functions of this module, and of those beside it, to other processes by value.

    A worker has the working directory and the installed packages on its path; the directory of a
    file in a subfolder is on the driver's path only.

    Args:
        module: A module of the user that was just imported.
    """
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)
    elsewhere = _ADDED - {os.getcwd()}
    for name, loaded in list(sys.modules.items()):
        if "." not in name and _directory(loaded) in elsewhere:
            cloudpickle.register_pickle_by_value(loaded)


def _directory(module: ModuleType) -> str | None:
    """Directory from which a module or package was imported."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    package = os.path.basename(file) == "__init__.py"
    return os.path.dirname(os.path.dirname(file)) if package else os.path.dirname(file)
