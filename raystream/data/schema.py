"""The columns of a stream: names, Polars types, which may not be null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, slots=True)
class Schema:
    """Columns in order.

    Args:
        columns: Name -> Polars type. Columns are nullable unless named in `required`.
        required: Columns declared not null.
        key: Columns of the key, once `key_by` said so.
        open: Behind a row function without a declared output: `columns` holds only what is known
            already (often nothing); the first rows tell the rest and are checked at run time.
    """

    columns: Mapping[str, pl.DataType]
    required: frozenset[str] = field(default_factory=frozenset)
    key: tuple[str, ...] = ()
    open: bool = False

    def names(self) -> list[str]:
        """Column names in order."""
        return list(self.columns)
