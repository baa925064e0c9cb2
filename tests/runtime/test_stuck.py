"""A function of the user that does not return is found by its line, from another thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.data.batch import TIME, Batch
from raystream.ids import SubtaskId
from raystream.observe.stuck import STUCK_S
from raystream.runtime.stuck import stuck_in
from tests.operators.process.subtasks import Subtasks
from tests.steps import Process

ENTERED, LEAVE = threading.Event(), threading.Event()
ME = SubtaskId("count", 0)


class Blocks(rs.Process):
    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> None:
        ENTERED.set()
        LEAVE.wait(60)


@contextmanager
def processing() -> Iterator[threading.Thread]:
    """A thread that is stuck in the function."""
    subtasks = Subtasks(Process(Blocks(), ("k",), {"n": "int"}), 1)
    batch = Batch(pl.DataFrame({"k": [1], TIME: [1]}))
    thread = threading.Thread(target=subtasks.operators[0].process, args=(batch,))
    ENTERED.clear()
    LEAVE.clear()
    thread.start()
    try:
        assert ENTERED.wait(60)
        yield thread
    finally:
        LEAVE.set()
        thread.join()


def test_the_line_that_runs_is_named_after_ten_seconds() -> None:
    with processing() as thread:
        found = stuck_in(ME, thread.ident, STUCK_S)
        line = Blocks.on_row.__code__.co_firstlineno + 2
        while found is not None and not found.line.endswith(f":{line}"):  # just before it
            found = stuck_in(ME, thread.ident, STUCK_S)
        assert found is not None
        assert (found.subtask, found.function, found.seconds) == ("count[0]", "on_row", STUCK_S)
        assert found.line == f"{__file__}:{line}"
        assert stuck_in(ME, thread.ident, STUCK_S - 0.1) is None


@pytest.mark.parametrize("thread", [None, -1])
def test_a_thread_that_is_not_there_is_in_no_function(thread: int | None) -> None:
    assert stuck_in(ME, thread, 60.0) is None


def test_a_thread_outside_functions_of_the_user_is_in_none() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, args=(60,))
    thread.start()
    try:
        assert stuck_in(ME, thread.ident, 60.0) is None
    finally:
        done.set()
        thread.join()
