"""Timers against a set, over keys of all types, collisions, merges, snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.state.run import Run, RunPolicy
from raystream.state.timers import Timers
from tests.state.keyed_rows import Key, bounded, frame, keys_of, kinds, policies, schema

AT: dict[str, pl.DataType] = {"at": pl.Int64()}

rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(-9, 50)), max_size=8)
steps = st.lists(st.tuples(st.sampled_from(["register", "delete", "due", "restart"]), rows))


def made(kind: str, width: int, policy: RunPolicy, prefix: str) -> Timers:
    columns = schema(kind, AT)
    table = Timers(["k", "j"], columns, time="at", width=width, prefix=prefix, policy=policy)
    return bounded(table, policy)


@settings(max_examples=60)
@given(kinds, policies, steps, st.sampled_from([1, 7, 20]))
def test_each_comes_once_when_it_is_due_and_not_if_it_was_deleted(
    kind: str, policy: RunPolicy, done: list[tuple[str, list[tuple[Any, ...]]]], width: int
) -> None:
    timers, now = made(kind, width, policy, "0"), -10
    waiting: set[tuple[int, Key]] = set()
    for what, each in done:
        given = frame(kind, each, AT)
        meant = set(zip(given["at"], keys_of(given), strict=True))
        if what == "register":
            timers.register(given)
            waiting |= {one for one in meant if one[0] > now}
        elif what == "delete":
            timers.delete(given)
            waiting -= meant
        elif what == "due" and each:
            now = max(now, each[0][2])
            due = timers.due(now)
            assert due["at"].is_sorted()
            got = list(zip(due["at"], keys_of(due), strict=True))
            assert len(got) == len(set(got))
            assert set(got) == {one for one in waiting if one[0] <= now}
            waiting = {one for one in waiting if one[0] > now}
        elif what == "restart":
            again = made(kind, width, policy, timers._prefix + "x")
            again.restore(timers.snapshot(), same_hash=len(each) % 2 == 0)
            timers = again
            timers.forget(now + 1)
    assert timers.count() == len(waiting)


def test_only_timers_that_are_due_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole slot was, at each watermark: a minute of timers for those of a second."""
    timers, merged = Timers(["k"], {"k": pl.Int64(), **AT}, time="at", prefix="0"), list[int]()
    timers.register(pl.DataFrame({"k": range(5_000), "at": range(0, 50_000, 10)}))
    newest = timers._newest

    def counted(runs: Sequence[Run], *, whole: bool) -> Run | None:
        merged.append(sum(run.rows for run in runs))
        return newest(runs, whole=whole)

    monkeypatch.setattr(timers, "_newest", counted)
    found = [timers.due(until).height for until in range(99, 50_000, 1_000)]
    found.append(timers.due(50_000).height)
    assert (sum(found), max(merged)) == (5_000, 100)
