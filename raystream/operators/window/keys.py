"""Check that the key of a window still exists: an upstream step may have dropped it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from raystream.errors import ConfigurationError
from raystream.operators.expressions import check_columns


def check_keys(keys: Sequence[str], columns: Mapping[str, pl.DataType]) -> None:
    """Raise for the first key that is not a column of the rows in front of the window.

    Raises:
        ConfigurationError: with the nearest name, and the way to have no key.
    """
    try:
        check_columns(list(keys), columns)
    except ConfigurationError as error:
        advice = f"{error.what_to_do}; the window groups by the key: key_by() takes it off"
        what = f"key of the window: {error.what}"
        raise ConfigurationError(what, what_to_do=advice) from None
