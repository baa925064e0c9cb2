"""Check the names of a rename for the input columns."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.errors import ConfigurationError
from raystream.operators.expressions import check_columns


def check_names(renamed: Mapping[str, str], columns: Mapping[str, pl.DataType]) -> None:
    """Refuse columns that do not exist, and new names that another column has.

    Raises:
        ConfigurationError: with the name.
    """
    check_columns(list(renamed), columns)
    kept = columns.keys() - renamed.keys()
    taken = next((new for new in renamed.values() if new in kept), None)
    if taken is not None:
        what = f"rename: there is a column {taken!r} already"
        raise ConfigurationError(what, what_to_do="drop that one first, or take another name")
