"""Tables without pieces: no merge holds up a batch for long, however large the table is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from raystream.state.fold import Fold
from raystream.state.run import Run, RunPolicy
from raystream.state.sorted_runs import SortedRuns
from raystream.state.time_table import TimeTable
from raystream.state.timers import Timers
from raystream.state.window_table import WindowTable

POLICY = RunPolicy(memtable=16, most_rows=128)
COLUMNS: dict[str, pl.DataType] = {"k": pl.Int64(), "at": pl.Int64()}

Add = Callable[[pl.DataFrame], None]


def window() -> tuple[SortedRuns, Add]:
    types = {**COLUMNS, "n": pl.Int64()}
    fold, policy = Fold({"n": "sum"}), RunPolicy(ratio=16, memtable=16, most_rows=128, slack=2.0)
    table = WindowTable(["k"], types, pane="at", fold=fold, prefix="0", policy=policy)
    return table, lambda rows: table.append(rows.with_columns(n=pl.lit(1, pl.Int64)))


def times() -> tuple[SortedRuns, Add]:
    table = TimeTable(["k"], COLUMNS, time="at", width=0, prefix="0", policy=POLICY)
    return table, table.append


def timers() -> tuple[SortedRuns, Add]:
    table = Timers(["k"], COLUMNS, time="at", prefix="0", policy=POLICY)
    return table, table.register


@pytest.mark.parametrize("made", [window, times, timers])
def test_a_merge_has_a_bounded_number_of_rows(
    made: Callable[[], tuple[SortedRuns, Add]], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, add = made()
    merged: list[int] = []
    reduced = table._reduced

    def counted(runs: Sequence[Run], **options: Any) -> Run | None:
        merged.append(sum(run.rows for run in runs))
        return reduced(runs, **options)

    monkeypatch.setattr(table, "_reduced", counted)
    for first in range(0, 6_000, 20):
        keys = pl.Series("k", np.arange(first, first + 20))
        add(pl.DataFrame({"k": keys, "at": keys % 3}))
        table.snapshot()
    assert len(table) == 6_000
    assert merged
    assert max(merged) <= 4 * 128
    assert len(table.runs) < 100
