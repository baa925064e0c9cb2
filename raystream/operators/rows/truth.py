"""Truth value of the result of a filter's function, by Python's rules if it has one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any


def truths(results: Iterable[Any]) -> Iterator[bool]:
    """True or false of each result.

    Raises:
        TypeError: a result has none: NaN, or a function that was not called.

    >>> list(truths([True, 0, None, "a"]))
    [True, False, False, True]
    """
    return (one if one is True or one is False else _truth(one) for one in results)


def _truth(value: Any) -> bool:
    if (
        value is NotImplemented
        or callable(value)
        or inspect.isawaitable(value)
        or isinstance(value, Iterator)
    ):
        if inspect.iscoroutine(value):
            value.close()  # else Python warns that it was never awaited
        what = f"a filter's function gave a {type(value).__name__}, not True or False"
        raise TypeError(what)
    true = bool(value)
    if true and _is_nan(value):
        what = f"a filter's function gave {value!r}, which is neither true nor false"
        raise TypeError(what)
    return true


def _is_nan(value: Any) -> bool:
    return bool(value != value)  # noqa: PLR0124 - just NaN, NaT and the like are so
