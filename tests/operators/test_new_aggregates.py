"""A new aggregate of a window begins beside the others, which continue."""

from __future__ import annotations

from itertools import count
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.data.schema import Schema
from raystream.graph.windows import Tumbling
from raystream.time.watermark import END_OF_TIME
from tests.operators.test_window_global import ALL, ROW, Subtasks, aggregate, placed
from tests.steps import WindowAggregate, WindowGlobal

COLUMNS = Schema.of({"ip": "string", "t": "int", "n": "int", "x": "float"}).with_key(("ip",))
NONE = aggregate([{"n": None, "x": None, "t": 0, "place": 0}]) | {"requests": 0}
"""The aggregates of no rows."""


class Evolving(Subtasks):
    """Restarts with other aggregates."""

    def __init__(self, harness: Any, names: list[str], pre_aggregated: bool) -> None:
        super().__init__(harness, asked(names), pre_aggregated)
        self.become(names)
        self.tasks = [harness(self.step, index=i, parallelism=2) for i in range(2)]

    def become(self, names: list[str]) -> None:
        self.asked = asked(names)
        self.step = WindowGlobal(self.asked, self.pre_aggregated, columns=COLUMNS)


def asked(names: list[str]) -> WindowAggregate:
    return WindowAggregate(("ip",), Tumbling(100), {name: ALL[name] for name in names})


def expected(
    name: str, old: list[str], before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> Any:
    """An old one of all rows, a new one of those behind the start."""
    whole = [*before, *after]
    if name in old:
        return aggregate(whole)[name]
    shared = name in {"last", "last_n"} and {"last", "last_n"} & {*old}
    if shared:  # all `last` of a window are of one row, and of an older one nothing is known
        newest = max(whole, key=lambda r: (r["t"], r["place"]))
        return {"last": newest["x"], "last_n": newest["n"]}[name] if newest in after else None
    return aggregate(after)[name] if after else NONE[name]


@settings(max_examples=25, deadline=None)
@given(
    st.permutations(list(ALL)),
    st.integers(1, len(ALL) - 1),
    st.randoms(use_true_random=False),
    st.lists(ROW, min_size=1, max_size=8),
    st.lists(ROW, max_size=8),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
)
def test_old_ones_continue_and_new_ones_begin(
    harness: Any,
    names: list[str],
    number: int,
    random: Any,
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
    pre_aggregated: bool,
    width: int,
) -> None:
    old, places = names[:number], count()
    subtasks = Evolving(harness, old, pre_aggregated)
    first, second = placed(before, places), placed(after, places)
    subtasks.rows(first)
    random.shuffle(names)
    subtasks.become(names)
    subtasks.restart(width)
    if second:
        subtasks.rows(second)
    subtasks.restart(3 - width % 2)  # the segments of before are restored once more
    subtasks.to(END_OF_TIME)
    subtasks.collect()
    for row in subtasks.out:
        place = (row["ip"], row["window_start"] // 100)
        mine = [[r for r in rows if (r["ip"], r["t"] // 100) == place] for rows in (first, second)]
        assert {n: row[n] for n in names} == {n: expected(n, old, *mine) for n in names}
    groups = {(r["ip"], r["t"] // 100) for r in (*first, *second)}
    assert len(subtasks.out) == len(groups)


def test_the_columns_of_the_answer_are_those_that_are_asked_now(harness: Any) -> None:
    subtasks = Evolving(harness, ["total"], False)
    subtasks.rows(placed([{"ip": "a", "t": 1, "n": 5, "x": 1.0}], count()))
    subtasks.become(["requests", "total", "mean"])
    subtasks.restart(2)
    subtasks.to(END_OF_TIME)
    subtasks.collect()
    [row] = subtasks.out
    assert row == {
        "ip": "a", "window_start": 0, "window_end": 100, "requests": 0, "total": 5, "mean": None,
    }  # fmt: skip
    assert pl.DataFrame([row]).columns[3:] == ["requests", "total", "mean"]
