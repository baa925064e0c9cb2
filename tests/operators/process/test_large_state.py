"""Large lists and maps: kept entry by entry, and the same as in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import TIME
from raystream.data.segment import Segment
from raystream.graph.policies import ErrorPolicy
from raystream.operators.operator import Restored, StepState
from raystream.operators.process import entries, large
from raystream.operators.process.entries import Entries
from raystream.operators.process.fields import EXTENT
from raystream.verify.process import PlainProcess
from tests import steps
from tests.operators.process.subtasks import Subtasks

SCHEMA = {"k": pl.String(), "do": pl.Int64(), "x": pl.Int64(), TIME: pl.Int64()}
OUT = {"shown": "string"}
SIZES = (0, 1, 2, 4)


class Many(rs.Process):
    """Does what a row says to maps and lists, and shows what it finds."""

    names: rs.Map[str, int]
    odd: rs.Map[float, str]
    fresh: rs.Map[int, list[int]] = rs.state(ttl="5ms")
    days: rs.Map[date, float]
    items: rs.List[int]
    recent: rs.List[str] = rs.state(ttl="4ms")

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> Iterator[dict[str, Any]]:
        x, shown = row["x"], list[Any]()
        number, name, day = x % 9, str(x % 9), date(2026, 1, 1 + x % 9)
        odd = [0.0, -0.0, float("nan"), 1.5, float("inf")][x % 5]
        match row["do"]:
            case 0 | 1:
                self.names[name] = x
                self.odd[odd] = name
                self.fresh[number] = [x]
                self.days[day] = float(x)
            case 2:
                self.names.pop(name, None)
                self.odd.pop(odd, None)
                self.fresh.pop(number, None)
                self.days.pop(day, None)
            case 3:
                shown = [name in self.names, self.odd.get(odd), self.fresh.get(number)]
                shown += [self.days.get(day), len(self.items), len(self.recent), len(self.odd)]
            case 4:
                shown = [list(self.names.items()), repr(list(self.odd.items()))]
                shown += [list(self.fresh.items()), list(self.days), list(self.items)]
                shown += [self.recent.get(), len(self.names), len(self.fresh)]
            case 5 | 6:
                self.items.extend(range(x % 7))
                self.recent.append(name)
            case 7:
                self.items.set(self.items.get()[-3:])
                self.names.update({str(n): n for n in range(x % 7)})
                self.fresh.update({n: [] for n in range(x % 7)})
            case 8:
                self.names.clear()
                self.recent.clear()
                self.fresh.clear()
                self.items.clear()
            case 9:
                self.names.pop(name, None)
                self.names[name] = -1
                self.names["bad"] = -1
                self.odd.clear()
                self.items.extend([-1, -2])
                self.items.set([])
                self.recent.append("bad")
                self.fresh[number] = [-1]
                raise ValueError("a bad row")
        shown.append((len(self.names), 1.0 in self.fresh, True in self.fresh))
        yield {"shown": repr(shown)}


ROW = st.tuples(
    st.sampled_from(["a", "a", "b", None]),
    st.integers(0, 9),
    st.integers(0, 40),
    st.integers(0, 30),
)
BATCH = st.tuples(
    st.lists(ROW, max_size=12), st.sampled_from([0, 0, 1, 2, 3]), st.sampled_from([0, 0, 2, 7])
)


@settings(max_examples=6, deadline=None)
@given(
    st.lists(BATCH, max_size=6),
    st.sampled_from(SIZES),
    st.sampled_from([1, 3, 1_000]),
    st.sampled_from([0, 40, 1_000]),
)
def test_it_gives_what_plain_python_gives_whatever_is_large(
    batches: list[tuple[list[tuple[Any, ...]], int, int]], small: int, per_lookup: int, held: int
) -> None:
    made = steps.Process(Many(), ("k",), OUT, {}, ErrorPolicy.SKIP)
    before = large.SMALL, large.PER_LOOKUP, entries.HELD
    large.SMALL, large.PER_LOOKUP, entries.HELD = small, per_lookup, held
    try:
        subtasks, watermark = Subtasks(made, 2), 0
        plain = PlainProcess(Many(), ("k",), skips=True)
        for rows, restart, advance in batches:
            subtasks.process(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
            for row in rows:
                plain.row(dict(zip(SCHEMA, row, strict=True)), row[-1])
            if restart:
                subtasks.restart(restart)
            watermark += advance
            if advance:
                subtasks.watermark(watermark)
                plain.advance(watermark)
            got = sorted(repr(row) for _, row, _ in subtasks.output.rows)
            assert got == sorted(repr(row) for _, row, _ in plain.made)
    finally:
        large.SMALL, large.PER_LOOKUP, entries.HELD = before


class Wide(rs.Process):
    seen: rs.Map[int, int]
    items: rs.List[int]

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> Iterator[dict[str, Any]]:
        if row["do"] == 0:
            self.seen.update({n: n for n in range(row["x"])})
            self.items.extend(range(row["x"]))
        elif row["do"] == 1:
            self.seen[row["x"]] = self.seen.get(row["x"], 0) + 1
            self.items.append(row["x"])
        yield {"n": len(self.seen), "m": len(self.items)}


NUMBERS = {"n": "int", "m": "int"}


def rows_of(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def test_an_entry_of_ten_thousand_that_changes_is_all_that_is_read_and_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subtasks = Subtasks(steps.Process(Wide(), ("k",), NUMBERS), 1)
    subtasks.process(rows_of(("a", 0, 10_000, 0)))
    known = {segment.id for segment in subtasks.snapshots()[0].segments}
    read = list[int]()
    places = Entries._places

    def counted(self: Entries, rows: pl.DataFrame) -> Any:
        read.append(rows.height)
        return places(self, rows)

    monkeypatch.setattr(Entries, "_places", counted)
    subtasks.process(rows_of(("a", 1, 77, 0)))
    after = subtasks.snapshots()[0].segments
    assert (
        sum(s.frame.height for s in after if s.id not in known) == 3
    )  # an entry, an item, and the extent of the list
    assert sum(read) == 1
    assert [row for _, row, _ in subtasks.output.rows[1:]] == [{"n": 10_000, "m": 10_001}]


def whole_values(state: StepState) -> StepState:
    """A state as it was written before large lists and maps had a row for each entry."""
    tables = {n: t for n, t in state.header["tables"].items() if n.startswith("state_")}
    old = [s for s in state.segments if "-state_" in s.id]
    segments = [Segment(s.id, s.frame.drop(*EXTENT)) for s in old]
    return StepState(segments, {**state.header, "tables": tables})


@pytest.mark.parametrize("width", [1, 2])
def test_whole_values_of_older_checkpoints_are_restored(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "SMALL", 1_000)
    subtasks = Subtasks(steps.Process(Wide(), ("k",), NUMBERS), 1)
    subtasks.process(rows_of(("a", 0, 500, 0), ("b", 0, 3, 0)))
    old = whole_values(subtasks.snapshots()[0])
    monkeypatch.undo()
    subtasks.attempt, subtasks.width = 1, width
    subtasks.operators = [subtasks.opened(index) for index in range(width)]
    for operator in subtasks.operators:
        operator.restore(Restored([old], redistribute=width > 1))
    subtasks.output.rows.clear()
    subtasks.process(rows_of(("a", 1, 700, 0), ("b", 1, 1, 0)))
    subtasks.restart(3)
    subtasks.process(rows_of(("a", 2, 0, 0), ("b", 2, 0, 0)))
    shown = sorted((row["n"], row["m"]) for _, row, _ in subtasks.output.rows)
    assert shown == [(3, 4), (3, 4), (501, 501), (501, 501)]
