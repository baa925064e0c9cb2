"""Numbers of JSON that would become others: integers beyond floats, decimals written oddly.

The typed decoder rounds an integer to the nearest float and takes for a decimal whatever Python
does (`1_0`, blanks, digits of other scripts). Records that may hold such are looked at again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from raystream.data.decimals import holds_decimals
from raystream.data.rows import not_of_type
from raystream.formats.not_finite import holds_floats

LARGEST = 2**53
"""Up to here every integer is a float."""

_ODD = re.compile(rb'[_\\\x80-\xff]|" +[-+.\d]|[\d.] +"')
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


class JsonNumbers:
    """Finds them.

    Args:
        columns: As they are in payloads.
    """

    def __init__(self, columns: Mapping[str, pl.DataType]) -> None:
        self._floats = [n for n, dtype in columns.items() if holds_floats(dtype)]
        self._decimals = [n for n, dtype in columns.items() if holds_decimals(dtype)]
        self._columns = {name: columns[name] for name in (*self._floats, *self._decimals)}

    def changed(self, frame: pl.DataFrame, payloads: Sequence[bytes]) -> dict[int, str]:
        """Row -> why its record is none; `payloads` are those of the rows."""
        rows: set[int] = set()
        for name in self._floats:
            rows.update(_large(frame.get_column(name)))
        if self._decimals:
            rows.update(n for n, payload in enumerate(payloads) if _ODD.search(payload))
        told = ((row, self._why(payloads[row])) for row in sorted(rows))
        return {row: why for row, why in told if why is not None}

    def _why(self, payload: bytes) -> str | None:
        record = json.loads(payload.decode("utf-8", "replace"), parse_int=_whole)
        for name, dtype in self._columns.items():
            for value, kind in _leaves(record.get(name), dtype):
                if not _same(value, kind):
                    return not_of_type(name, value, kind)
        return None


def is_decimal(text: str) -> bool:
    """Whether a text is a decimal number, and nothing but.

    >>> is_decimal("-1.50"), is_decimal("1_0"), is_decimal(" 1")
    (True, False, False)
    """
    return _DECIMAL.fullmatch(text) is not None


def _whole(digits: str) -> float:
    """An integer; Python takes no more than 4300 digits, and nobody needs so many."""
    return int(digits) if len(digits) < 400 else math.inf  # noqa: PLR2004


def _same(value: Any, dtype: pl.DataType) -> bool:
    if dtype.is_float():
        return type(value) is not int or int(_rounded(value, dtype)) == value
    return not (isinstance(value, str) and dtype.is_decimal()) or is_decimal(value)


def _rounded(value: int, dtype: pl.DataType) -> float:
    import numpy as np  # a third of the start of `raystream validate`

    return float(np.float32(value)) if dtype == pl.Float32 else float(value)


def _large(column: pl.Series) -> Iterable[int]:
    """Rows with a float that may have been another integer."""
    if not column.dtype.is_float():
        return range(len(column)) if _any_large(column) else ()
    most = 2**24 if column.dtype == pl.Float32 else LARGEST
    import numpy as np  # a third of the start of `raystream validate`

    rows: list[int] = np.flatnonzero(np.abs(column.to_numpy()) >= most).tolist()
    return rows


def _any_large(column: pl.Series) -> bool:
    dtype = column.dtype
    if isinstance(dtype, pl.List):
        return _any_large(column.explode())
    if isinstance(dtype, pl.Struct):
        return any(_any_large(column.struct.field(field.name)) for field in dtype.fields)
    return dtype.is_float() and any(True for _ in _large(column))


def _leaves(value: Any, dtype: Any) -> Iterator[tuple[Any, pl.DataType]]:
    if value is None:
        return
    if isinstance(dtype, pl.List):
        for item in value:
            yield from _leaves(item, dtype.inner)
    elif isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            yield from _leaves(value.get(field.name), field.dtype)
    else:
        yield value, dtype
