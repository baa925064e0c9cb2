"""Whether joined records of CSV are lines that Polars reads as we do, by their bytes."""

from __future__ import annotations

import numpy as np

_BOM = b"\xef\xbb\xbf"
_LINE_END, _QUOTE = b'\n"'


def regular(text: bytes, records: int, fields: int, delimiter: str) -> bool:
    """Whether each record is a line without anything special, and none has too few fields.

    Of a line with too many fields Polars raises an error. So if there are as many delimiters as
    there must be in all, no line has too few.

    Args:
        text: Records that are not empty, with a line end between each two.
        records: How many.
        fields: How many a record has.
        delimiter: One character of one byte.

    >>> regular(b'1,"a,b"', 1, 2, ","), regular(b'1,a"b"', 1, 2, ","), regular(b"1,2", 1, 3, ",")
    (True, False, False)
    """
    if b"\r" in text or text.startswith(_BOM):
        return False
    each = np.frombuffer(text, np.uint8)
    mark = delimiter.encode()[0]
    ends, marks = each == _LINE_END, each == mark
    if np.count_nonzero(ends) != records - 1:
        return False
    if b'"' not in text:
        return int(np.count_nonzero(marks)) == (fields - 1) * records
    quotes = np.flatnonzero(each == _QUOTE)
    if not _around_fields(each, quotes, mark) or _within(ends, quotes):
        return False
    outside = int(np.count_nonzero(marks)) - _within(marks, quotes)
    return outside == (fields - 1) * records


def _around_fields(each: np.ndarray, quotes: np.ndarray, mark: int) -> bool:
    """Whether each quote that opens follows a border, and each that closes is before one.

    One right behind another is an empty text, which Polars takes for null where a number is to be.
    """
    if len(quotes) % 2 or (np.diff(quotes) == 1).any():
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = each[opening[opening > 0] - 1]
    behind = each[closing[closing < len(each) - 1] + 1]
    borders = np.concatenate((before, behind))
    return bool(((borders == mark) | (borders == _LINE_END)).all())


def _within(there: np.ndarray, quotes: np.ndarray) -> int:
    """How many of these places are between quotes."""
    before = np.searchsorted(np.flatnonzero(there), quotes)
    return int((before[1::2] - before[::2]).sum())
