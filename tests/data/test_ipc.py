from __future__ import annotations

import subprocess
import sys

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


def test_a_frame_may_be_used_while_another_thread_writes_it() -> None:
    """Without the clone this hangs: Polars waits for the frame's lock while it holds the GIL."""
    code = """
import threading
import polars as pl
from raystream.data.ipc import to_ipc
frame = pl.DataFrame({"n": range(300_000), "s": ["some text %d" % n for n in range(300_000)]})
writers = [threading.Thread(target=lambda: [to_ipc(frame) for _ in range(20)]) for _ in range(2)]
for writer in writers: writer.start()
while any(writer.is_alive() for writer in writers):
    assert frame.height == 300_000
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "done"
