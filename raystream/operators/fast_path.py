"""FastPath: whether rows stay columns in a step, and are few where they are sent; for people."""

from __future__ import annotations

from dataclasses import dataclass

ROWS_ARE_DICTS = "rows are dicts from here"


@dataclass(frozen=True, slots=True)
class FastPath:
    """One way to be fast that a step takes or misses.

    Args:
        taken: Whether it takes it.
        what: In a few words.
    """

    taken: bool
    what: str


def taken(what: str) -> tuple[FastPath, ...]:
    """It takes one.

    >>> taken("columns")
    (FastPath(taken=True, what='columns'),)
    """
    return (FastPath(True, what),)


def missed(what: str) -> tuple[FastPath, ...]:
    """It misses one.

    >>> missed("rows")[0].taken
    False
    """
    return (FastPath(False, what),)
