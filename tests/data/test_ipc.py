from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from raystream.data.ipc import from_ipc, to_ipc


def test_frames_of_all_types_survive() -> None:
    frame = pl.DataFrame(
        {"i": [1, None], "s": ["a" * 30, None], "b": [b"\x00", None], "x": [0.5, None],
         "l": [[1], None], "t": [{"a": 1}, None]}
    )  # fmt: skip
    assert_frame_equal(from_ipc(to_ipc(frame)), frame)
    assert_frame_equal(from_ipc(memoryview(to_ipc(frame.clear()))), frame.clear())


def test_a_slice_costs_its_own_size() -> None:
    big = pl.DataFrame({"s": ["x" * 50] * 100_000, "i": range(100_000)})
    assert len(to_ipc(big.slice(500, 100))) < 20_000


def test_garbage_is_refused() -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        from_ipc(b"garbage garbage garbage")
