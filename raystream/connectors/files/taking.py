"""Whether a source of files would read what is written below a directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from raystream.connectors.files.listing import Listing

ANY = "\0"
"""A part of a path of which nothing is known."""


def takes(listing: Listing, directory: str, parts: Sequence[str]) -> bool:
    """Whether the listing would hold a file below a directory, however either is linked to.

    Args:
        listing: What is read.
        directory: What is written to.
        parts: Directories below it and a name that files there have, or `ANY`.

    >>> takes(Listing("/data/in/*.jsonl"), "/data/in", ["part-1.jsonl"])
    True
    >>> takes(Listing("/data/in/*.jsonl"), "/data/in", [ANY, "part-1.jsonl"])
    False
    """
    base, pattern = _searched(listing.path)
    target = Path(directory).resolve()
    if not target.is_relative_to(base):
        return False
    below = (*target.relative_to(base).parts, *parts)
    hidden = any(part.startswith((".", "_")) for part in below)
    return not hidden and _matches(below, pattern)


def _searched(path: str) -> tuple[Path, Sequence[str]]:
    """A directory, and the pattern below it. What is not there yet may become a directory."""
    if os.path.isfile(path):
        return Path(path).parent.resolve(), ()
    listing = Listing(path)
    if not listing.is_glob:
        return Path(path).resolve(), ("**", "*")
    return listing.base.resolve(), Path(path).relative_to(listing.base).parts


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path below the base is one of the pattern's; `**` is any directories."""
    if not pattern or not parts:
        return not pattern and not parts
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or _matches(parts[1:], pattern)
    if parts[0] != ANY and not fnmatchcase(parts[0], pattern[0]):
        return False
    return _matches(parts[1:], pattern[1:])
