"""Whether whole numbers can leave their type at all: from the least and greatest of the columns.

To look at those is cheaper than to check each row, and nearly always enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Limits = Mapping[str, tuple[int, int]]
"""Least and greatest value of each column."""

Within = Callable[[Limits], tuple[int, int]]
"""Between which numbers a part lies."""


def of_column(name: str) -> Within:
    """What a column holds."""
    return lambda limits: limits[name]


def of_number(number: int) -> Within:
    """A number that is written out."""
    return lambda limits: (number, number)


def between(low: int, high: int) -> Within:
    """What a function gives whatever its arguments are."""
    return lambda limits: (low, high)


def scaled(within: Within | None, digits: int) -> Within | None:
    """With so many more digits behind the point, counted in units of the last one.

    >>> scaled(of_number(25), 2)({})
    (2500, 2500)
    """
    return computed("*", within, of_number(10**digits)) if digits else within


def computed(sign: str, left: Within | None, right: Within | None) -> Within | None:
    """`+`, `-` or `*` of two parts; None if it is not known of both.

    >>> product = computed("*", of_column("a"), of_number(-3))
    >>> product({"a": (-1, 5)})
    (-15, 3)
    """
    if left is None or right is None:
        return None

    def within(limits: Limits) -> tuple[int, int]:
        (low, high), (least, most) = left(limits), right(limits)
        if sign == "+":
            return low + least, high + most
        if sign == "-":
            return low - most, high - least
        corners = [low * least, low * most, high * least, high * most]
        return min(corners), max(corners)

    return within


def always_in(
    within: Within | None, low: int = -(2**63), high: int = 2**63 - 1
) -> Callable[[Limits], bool] | None:
    """Whether no row can be outside; None if that is not known."""
    if within is None:
        return None

    def fits(limits: Limits) -> bool:
        least, most = within(limits)
        return low <= least and most <= high

    return fits
