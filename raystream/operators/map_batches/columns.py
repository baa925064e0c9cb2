"""Apply the function of map_batches to a frame, and determine the columns of the result."""

from __future__ import annotations

import polars as pl

from raystream.data.schema import Schema
from raystream.errors import UserCodeError
from raystream.operators.batch_formats import check_installed, in_format
from raystream.operators.map_batches.step import MapBatches
from raystream.operators.trial import Tried
from raystream.operators.user_code import defined_at, user_code


def frame_of(step: MapBatches, user: pl.DataFrame) -> pl.DataFrame:
    """Apply the function to some rows.

    Raises:
        UserCodeError: it raised, or returned no frame.
    """
    with user_code(step.function):
        result = step.function(in_format(user, step.batch_format))
    if isinstance(result, pl.DataFrame):
        return result
    if step.batch_format == "pandas":
        return pl.from_pandas(result)
    if step.batch_format == "pyarrow":
        frame = pl.from_arrow(result)
        if isinstance(frame, pl.DataFrame):
            return frame
    what = f"map_batches: the function gave {type(result).__name__}, not a frame"
    raise UserCodeError(what, defined_at(step.function), "return a Polars DataFrame")


def tried_batch(step: MapBatches, user: pl.DataFrame) -> Tried:
    """Call the function with some rows: its result reveals the columns.

    Args:
        step: Whose types are not known.
        user: The user's columns.
    """
    frame = frame_of(step, user)
    same = step.but(function=lambda _: frame, batch_format="polars")
    return Tried({}, frame, frame.height, "", same)


def output_schema(step: MapBatches) -> Schema:
    """The declared columns; open (known at the first output) if none were declared.

    Raises:
        ConfigurationError: there is no such batch format, or its library is not installed.
    """
    check_installed(step.batch_format, "map_batches")
    return Schema.of(step.schema) if step.schema is not None else Schema({}, open=True)
