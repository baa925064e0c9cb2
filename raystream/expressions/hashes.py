"""Digests of text: Polars has none, so each value is hashed by Python."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from raystream.expressions.table import Arguments, Function
from raystream.expressions.texts import GROUP, as_text
from raystream.expressions.values import TEXT, Typed


def _digest(algorithm: str) -> Callable[[Arguments], Typed]:
    def hashed(texts: pl.Series) -> pl.Series:
        import hashlib

        new = getattr(hashlib, algorithm)
        made = [
            None if text is None else new(text.encode(), usedforsecurity=False).hexdigest()
            for text in texts.to_list()
        ]
        return pl.Series(texts.name, made, TEXT)

    def build(given: Arguments) -> Typed:
        text = as_text(given[0])
        value = text.value.map_batches(hashed, return_dtype=TEXT, is_elementwise=True)
        return given.gives(value, TEXT)

    return build


FUNCTIONS = (
    Function(GROUP, "md5", "text", "MD5 of the text in UTF-8, as 32 lower-case hexadecimal digits.", _digest("md5")),
    Function(GROUP, "sha1", "text", "SHA-1, as 40 digits.", _digest("sha1")),
    Function(GROUP, "sha256", "text", "SHA-256, as 64 digits.", _digest("sha256")),
    Function(GROUP, "sha512", "text", "SHA-512, as 128 digits.", _digest("sha512"), differs="Is not there."),
)  # fmt: skip
