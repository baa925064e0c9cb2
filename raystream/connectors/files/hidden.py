"""Hidden files and directories of a sink, and how they become visible."""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

PENDING = ".pending"
"""End of the name of what no checkpoint has committed."""

PROMISED = ".promised"
"""End of the name of a note that something is made visible."""

SHOWING = ".showing"
"""End of the name of a directory that is committed, whose files are moved to their places."""


def sync_directory(directory: Path) -> None:
    """Make names in a directory survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def removed(path: Path) -> bool:
    """Remove a file, or a directory with all that is in it; whether it is gone."""
    try:
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def show(hidden: Path, directory: Path) -> None:
    """Move the files of a hidden directory to the same places below another, durably.

    Whoever is killed meanwhile is followed by somebody who moves the others.

    Raises:
        OSError: not all of them could be moved.
    """
    changed: set[Path] = set()
    for path in _files(hidden):
        place = directory / path.parent.relative_to(hidden)
        place.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(path, place / path.name.removesuffix(PENDING))
        except FileNotFoundError:  # a zombie moved it
            continue
        changed |= {place, *place.parents}
    for each in sorted(changed):
        if each.is_relative_to(directory):
            sync_directory(each)
    _remove_empty(hidden)


def is_below(directory: Path, name: str) -> bool:
    """Whether a visible file of this name is somewhere below."""
    pattern = os.path.join(glob.escape(str(directory)), "**", glob.escape(name))
    return next(glob.iglob(pattern, recursive=True), None) is not None


def _files(directory: Path) -> list[Path]:
    return [Path(path, name) for path, _, names in os.walk(directory) for name in sorted(names)]


def _remove_empty(directory: Path) -> None:
    """Remove a tree of directories.

    Raises:
        OSError: there is a file in it.
    """
    for path, _, _ in os.walk(directory, topdown=False):
        try:
            os.rmdir(path)
        except FileNotFoundError:  # a zombie did it
            continue
