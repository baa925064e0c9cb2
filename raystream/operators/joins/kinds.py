"""Kinds of joins, by the words of SQL."""

from __future__ import annotations

from enum import StrEnum


class JoinKind(StrEnum):
    """Which rows a join gives.

    >>> JoinKind.LEFT.unmatched(0), JoinKind.LEFT.unmatched(1), JoinKind.ANTI.pairs
    (True, False, False)
    """

    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    SEMI = "semi"
    ANTI = "anti"

    @property
    def pairs(self) -> bool:
        """Whether it gives one row per match; semi and anti give rows of the left stream only."""
        return self not in (JoinKind.SEMI, JoinKind.ANTI)

    def unmatched(self, port: int) -> bool:
        """Whether it gives the rows of an input (0: left, 1: right) that have no match."""
        if port == 0:
            return self in (JoinKind.LEFT, JoinKind.FULL, JoinKind.ANTI)
        return self in (JoinKind.RIGHT, JoinKind.FULL)

    def tracked(self, port: int) -> bool:
        """Whether it must know which rows of an input have had a match."""
        return self.unmatched(port) or (port == 0 and self is JoinKind.SEMI)
