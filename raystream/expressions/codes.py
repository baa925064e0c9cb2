"""Characters and their numbers, and letters at the beginning of words: Polars has none of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import polars as pl

from raystream.expressions.bounds import between
from raystream.expressions.table import Arguments, Function, simple
from raystream.expressions.texts import GROUP
from raystream.expressions.values import INTEGER, TEXT, Typed

_LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)
"""Numbers that are no characters."""
_WORD = re.compile(r"[^\W_]+")


def _each(change: Callable[[Any], Any], kind: pl.DataType) -> Callable[[pl.Expr], pl.Expr]:
    """A function of Python for each value that is not null."""

    def changed(values: pl.Series) -> pl.Series:
        made = [None if value is None else change(value) for value in values.to_list()]
        return pl.Series(values.name, made, kind)

    return lambda value: value.map_batches(changed, return_dtype=kind, is_elementwise=True)


def _capital(word: re.Match[str]) -> str:
    return word[0][0].title() + word[0][1:].lower()


_initcap = _each(lambda text: _WORD.sub(_capital, text), TEXT)
_code = _each(lambda text: ord(text[0]) if text else 0, INTEGER)
_character = _each(chr, TEXT)


def _chr(given: Arguments) -> Typed:
    number = given[0].value
    good = number.is_between(0, _LAST) & ~number.is_between(*_SURROGATES)
    value = _character(pl.when(good).then(number))
    return given.gives(value, TEXT, given.fault(~good, "no character has this number"))


FUNCTIONS = (
    simple(GROUP, "initcap", "text", TEXT, "Each word, of letters and digits, with a capital first letter, the others small.", _initcap, differs="Is not there."),
    simple(GROUP, "ascii", "text", INTEGER, "Number of the first character in Unicode; 0 of empty text.", _code, within=between(0, _LAST)),
    Function(GROUP, "chr", "integer", "The character of a number in Unicode.", _chr),
)  # fmt: skip
