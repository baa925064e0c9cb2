"""Frames as the user's functions want them: Polars, pandas, PyArrow."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import polars as pl

from raystream.errors import ConfigurationError

_NEEDED = {"polars": (), "pandas": ("pandas", "pyarrow"), "pyarrow": ("pyarrow",)}


def check_installed(batch_format: str, verb: str) -> None:
    """Refuse a format that does not exist, or whose library is not installed.

    Raises:
        ConfigurationError: with what to write or to install.

    >>> check_installed("polars", "map_batches")
    """
    if batch_format not in _NEEDED:
        what = f"{verb}: no batch_format {batch_format!r}"
        raise ConfigurationError(what, what_to_do="write polars, pandas or pyarrow")
    missing = [name for name in _NEEDED[batch_format] if find_spec(name) is None]
    if missing:
        what = f"{verb}: batch_format={batch_format!r} needs {' and '.join(missing)}"
        raise ConfigurationError(what, what_to_do=f"pip install {' '.join(missing)}")


def in_format(frame: pl.DataFrame, batch_format: str) -> Any:
    """The frame in a format; the caller's own if that is Polars.

    >>> in_format(pl.DataFrame({"n": [1]}), "polars").height
    1
    """
    if batch_format == "pandas":
        return frame.to_pandas()
    return frame.to_arrow() if batch_format == "pyarrow" else frame
