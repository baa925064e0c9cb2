"""TimeTable against a list, over keys of all types, collisions, merges, snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.state.run import HASH, RunPolicy
from raystream.state.time_table import TimeTable
from tests.state.keyed_rows import bounded, frame, keys_of, kinds, policies, schema

VALUES: dict[str, pl.DataType] = {"t": pl.Int64(), "v": pl.Int64()}

rows = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(0, 1), st.integers(-20, 60), st.integers(0, 1_000_000)
    ),
    max_size=10,
)
steps = st.lists(st.tuples(st.sampled_from(["append", "fetch", "drop", "restart"]), rows))


def made(kind: str, width: int, policy: RunPolicy, prefix: str) -> TimeTable:
    columns = schema(kind, VALUES)
    table = TimeTable(["k", "j"], columns, time="t", width=width, prefix=prefix, policy=policy)
    return bounded(table, policy)


def restarted(table: TimeTable, kind: str, width: int, policy: RunPolicy) -> TimeTable:
    again = made(kind, width, policy, table._prefix + "x")
    again.restore(table.snapshot())
    return again


@settings(max_examples=60)
@given(
    kinds,
    policies,
    steps,
    st.sampled_from([0, 1, 7, 25]),
    st.tuples(st.integers(-3, 12), st.integers(-3, 12)),
)
def test_a_range_of_time_has_the_rows_of_its_key(
    kind: str,
    policy: RunPolicy,
    done: list[tuple[str, list[tuple[Any, ...]]]],
    width: int,
    reach: tuple[int, int],
) -> None:
    table, oldest = made(kind, width, policy, "0"), -(10**9)
    everything: list[tuple[Any, ...]] = []
    for what, each in done:
        given = frame(kind, each, VALUES)
        if what == "append":
            table.append(given)
            everything += zip(keys_of(given), given["t"], given["v"], strict=True)
        elif what == "drop" and each:
            oldest = max(oldest, each[0][2])
            table.forget(oldest)
        elif what == "restart":
            table = restarted(table, kind, width, policy)
            table.forget(oldest)
        times = given["t"].to_numpy()
        who, found = table.fetch(given, times - reach[0], times + reach[1])
        got = zip(who.tolist(), keys_of(found), found["t"], found["v"], strict=True)
        assert sorted(got, key=repr) == sorted(
            (
                (number, key, time, value)
                for number, (asked, at) in enumerate(zip(keys_of(given), times, strict=True))
                for key, time, value in everything
                if key == asked and max(oldest, at - reach[0]) <= time <= at + reach[1]
            ),
            key=repr,
        )
    for run in table.runs:
        slots = run.frame["t"] // width if width else run.frame["t"] * 0
        order = list(zip(slots, run.frame[HASH], run.frame["t"], strict=True))
        assert order == sorted(order)


def test_dropped_rows_leave_memory() -> None:
    columns = {"k": pl.Int64(), "t": pl.Int64()}
    table = TimeTable(["k"], columns, time="t", width=100, prefix="0")
    for time in range(0, 10_000, 100):
        table.append(pl.DataFrame({"k": range(1000), "t": np.full(1000, time)}))
        table.forget(time - 300)
        assert len(table) <= 12_000
    assert table.size_bytes() < 1_000_000


def test_ranges_reach_to_the_ends_of_time() -> None:
    columns = {"k": pl.Int64(), "t": pl.Int64()}
    table = TimeTable(["k"], columns, time="t", width=0, prefix="0")
    table.append(pl.DataFrame({"k": [1] * 50, "t": [*range(49), 2**63 - 1]}))
    low, high = np.array([-(2**63)]), np.array([2**63 - 1])
    assert table.fetch(pl.DataFrame({"k": [1]}), low, high)[1].height == 50
