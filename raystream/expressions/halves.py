"""An rs.col expression tells only that some row fails: which one is found by halving the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from raystream.expressions.polars_tree import COMPUTE_ERRORS


def by_halves(
    frame: pl.DataFrame, compute: Callable[[pl.DataFrame], pl.Series]
) -> Iterator[tuple[pl.Series | None, str]]:
    """What is computed of stretches of rows; a row that fails alone gives None and the reason.

    Args:
        frame: Rows.
        compute: Rows -> one value for each; looks at one row at a time.

    >>> frame = pl.DataFrame({"a": ["1", "x", "3"]})
    >>> parts = by_halves(frame, lambda f: f["a"].cast(pl.Int64))
    >>> [None if part is None else part.to_list() for part, _ in parts]
    [[1], None, [3]]
    """
    try:
        found = compute(frame)
    except COMPUTE_ERRORS as error:
        if frame.height == 1:
            yield None, str(error).splitlines()[0]
            return
    else:
        yield found, ""
        return
    half = frame.height // 2
    yield from by_halves(frame[:half], compute)
    yield from by_halves(frame[half:], compute)


def reasons(frame: pl.DataFrame, compute: Callable[[pl.DataFrame], pl.Series]) -> pl.Series:
    """Why each row fails; null for those that do not.

    Args:
        frame: Rows.
        compute: Rows -> one value for each.

    >>> reasons(pl.DataFrame({"a": ["1", "2"]}), lambda f: f["a"].cast(pl.Int64)).to_list()
    [None, None]
    """
    told: list[str | None] = []
    for part, reason in by_halves(frame, compute):
        told += [reason] if part is None else [None] * len(part)
    return pl.Series("reason", told, pl.String())
