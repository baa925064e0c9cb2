"""Texts of one column of CSV to values of its type, and the type that they have."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import polars as pl

from raystream.data.rows import column_of, misfits
from raystream.formats import text_types
from raystream.formats.json_numbers import LARGEST, is_decimal

_BOOLEAN = {"true": True, "false": False}


def given(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Polars skips blanks in front of numbers, and takes nothing else for null."""
    if not (dtype.is_integer() or dtype.is_float()):
        return text
    number = text.str.strip_chars_start(" \t")
    return pl.select(pl.when(number.str.len_bytes() > 0).then(number)).to_series()


def read(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Values of a type, null where the text is none."""
    if dtype == pl.String:
        return text
    if dtype == pl.Boolean:
        known = text.str.to_lowercase()
        return known.replace_strict(_BOOLEAN, default=None, return_dtype=pl.Boolean)
    if isinstance(dtype, pl.Decimal):
        return _decimals(text, dtype)
    if text_types.is_text(dtype):
        return text_types.applied(lambda value: text_types.read(value, dtype), text)
    if dtype.is_integer():
        whole = text.str.contains(r"^[+-]?[0-9]+$")
        text = pl.select(pl.when(whole).then(text)).to_series().alias(text.name)
    number = text.cast(dtype, strict=False)
    if dtype.is_float():
        number = number.set(number.is_infinite() & text.str.contains("[0-9]"), None)
        most = 2**24 if dtype == pl.Float32 else LARGEST
        whole = (number.abs() >= most) & text.str.contains(r"^[+-]?[0-9]+$")
        rows = [row for row in whole.arg_true() if int(number[row]) != int(text[row])]
        number = number.scatter(rows, None) if rows else number
    return number


def _decimals(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    numbers = [None if value is None else _decimal(value) for value in text.to_list()]
    for row in misfits(numbers, dtype):
        numbers[row] = None
    return column_of(text.name, numbers, dtype)


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text) if is_decimal(text.lstrip(" \t")) else None
    except InvalidOperation:
        return None


def learnt(text: pl.Series) -> pl.DataType:
    """The type that all texts have; text if they are no numbers, or numbers with zeros in front.

    >>> learnt(pl.Series(["1", None, "-2"])), learnt(pl.Series(["007"])), learnt(pl.Series(["1.5"]))
    (Int64, String, Float64)
    """
    known = text.drop_nulls()
    if not len(known) or known.str.contains(r"^[ \t]*[+-]?0[0-9]").any():  # a code, not a number
        return pl.String()
    for dtype in (pl.Int64(), pl.Float64(), pl.Boolean()):
        if not read(given(known, dtype), dtype).null_count():
            return dtype
    return pl.String()
