"""Check the upload of `raystream submit`, and refuse it early where it cannot work."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from pathlib import Path

from raystream.errors import ConfigurationError
from raystream.runtime.ray import internals

_MEBIBYTE = 2**20
LIMIT_MIB = 100
"""A larger upload takes long to zip, and every node that runs a subtask fetches it."""

_SHOWN = 3
_QUIET = logging.getLogger("raystream.submit")


def check_working_dir(directory: Path) -> None:
    """Refuse a directory that is missing, too large, or hides the standard library.

    Args:
        directory: To be uploaded, except what .gitignore and .rayignore name.

    Raises:
        ConfigurationError: names the problem.
    """
    if not directory.is_dir():
        what = "there is no such directory"
        raise ConfigurationError(what, str(directory), "name one with --working-dir")
    hidden = sorted(_names(directory) & sys.stdlib_module_names)
    if hidden:
        what = f"{hidden[0]} would hide Python's own module {hidden[0]} in every process of the job"
        raise ConfigurationError(what, str(directory), "give it another name")
    sizes = uploaded(directory)
    if sizes.total() > LIMIT_MIB * _MEBIBYTE:
        raise _too_much(directory, sizes)


def uploaded(directory: Path) -> Counter[str]:
    """Bytes to upload, by entry of the directory; empty if Ray does not tell."""
    sizes: Counter[str] = Counter()

    def note(path: Path) -> None:
        if path.is_file():
            sizes[path.relative_to(directory).parts[0]] += path.stat().st_size

    internals.each_uploaded(directory, note, _QUIET)
    return sizes


def _too_much(directory: Path, sizes: Counter[str]) -> ConfigurationError:
    heavy = [(name, size) for name, size in sizes.most_common(_SHOWN) if size >= _MEBIBYTE]
    largest = ", ".join(f"{name} {_mib(size)}" for name, size in heavy)
    what = f"{_mib(sizes.total())} to upload, more than {LIMIT_MIB} MiB; largest: {largest}"
    advice = "name what the job does not need in .rayignore, or a smaller --working-dir"
    return ConfigurationError(what, str(directory), advice)


def _mib(size: int) -> str:
    return f"{size / _MEBIBYTE:.0f} MiB"


def _names(directory: Path) -> set[str]:
    """Modules in the directory."""
    files = {path.stem for path in directory.glob("*.py")}
    return files | {path.parent.name for path in directory.glob("*/__init__.py")}
