"""`row_number()` and `lag(price, 2)` -> their parts: what stands beside aggregates of an `over`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from raystream.config.aggregate_text import Part

_ROW_NUMBER = re.compile(r"\s*row_number\s*\(\s*\)\s*", re.IGNORECASE)
_LAG = re.compile(r"\s*lag\s*\(\s*(.+?)\s*(?:,\s*(\d+)\s*)?\)\s*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class OverText:
    """What it says.

    Args:
        value: Of a lag; None: it is a row number.
        by: How many rows before.
    """

    value: Part | None
    by: int = 1


def parse_over(text: str) -> OverText | None:
    """The parts of a row number or lag; None: it is neither.

    >>> parse_over("lag(coalesce(a, 1), 2)")
    OverText(value=Part(text='coalesce(a, 1)', offset=4), by=2)
    >>> parse_over("row_number()"), parse_over("sum(a)") is None
    (OverText(value=None, by=1), True)
    """
    if _ROW_NUMBER.fullmatch(text):
        return OverText(None)
    found = _LAG.fullmatch(text)
    return None if found is None else OverText(Part(found[1], found.start(1)), int(found[2] or 1))
