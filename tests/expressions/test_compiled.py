"""What `compiled` tells of an expression before it runs."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from raystream.errors import ConfigurationError
from raystream.expressions.compiled import compiled

COLUMNS: dict[str, pl.DataType] = {"n": pl.Int64(), "x": pl.Float64(), "s": pl.String()}


@pytest.mark.parametrize("written", ["n >= 5", pl.col("n") >= 5])
def test_type_columns_and_constness(written: Any) -> None:
    found = compiled(written, COLUMNS)
    assert found.dtype == pl.Boolean()
    assert found.reads == {"n"}
    assert not found.constant
    assert compiled("1 = 1", COLUMNS).constant


def test_a_column_that_is_missing() -> None:
    with pytest.raises(
        ConfigurationError, match="no column 'nn', at character 1 .*; did you mean 'n'"
    ):
        compiled("nn + 1", COLUMNS)
