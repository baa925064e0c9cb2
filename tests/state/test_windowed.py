from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.data.segment import Segment
from raystream.state import windowed
from raystream.state.redistribute import owned
from raystream.state.windowed import PANE, WindowedState


def merge(frame: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    return frame.group_by(by).agg(pl.col("n").sum())


def partials(rows: list[tuple[int, str, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={PANE: pl.Int64, "k": pl.String, "n": pl.Int64}, orient="row")


def content(state: WindowedState, low: int = -100, high: int = 100) -> dict[tuple[int, str], int]:
    found = state.select(low, high)
    rows = [] if found is None else merge(found, [PANE, "k"]).rows()
    return {(pane, key): n for pane, key, n in rows}


def new(prefix: str = "1") -> WindowedState:
    return WindowedState(["k"], merge, prefix)


ROWS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from("abc"), st.integers(1, 5)), min_size=1, max_size=9
)
EVENTS = st.lists(ROWS | st.integers(0, 10) | st.sampled_from(["snapshot", "restore", "compact"]))


@given(EVENTS)
def test_same_as_a_dict_and_segments_never_change(events: list) -> None:
    state, attempt = new(), 1
    plain: Counter[tuple[int, str]] = Counter()
    horizon = 0
    seen: dict[str, pl.DataFrame] = {}
    for event in events:
        if isinstance(event, int):
            horizon = max(horizon, event)
            state.drop_before(event)
            plain = Counter({key: n for key, n in plain.items() if key[0] >= event})
        elif isinstance(event, list):
            rows = [row for row in event if row[0] >= horizon]
            state.append(partials(rows))
            for pane, key, n in rows:
                plain[pane, key] += n
        elif event == "compact":
            state.compact()
        else:
            segments = state.snapshot()
            assert len(segments) <= 8
            for segment in segments:
                assert seen.setdefault(segment.id, segment.frame) is segment.frame
            if event == "restore":
                attempt += 1
                state = new(str(attempt))
                state.restore(segments)
        assert content(state, horizon) == dict(plain)
        assert (state.last_pane() is None) == (len(state) == 0)
        if plain:
            assert state.last_pane() == max(pane for pane, _ in plain)


def test_rows_are_merged_when_they_outnumber_those_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowed, "COMPACT_ROWS", 10)
    state = new()
    for _ in range(100):
        state.append(partials([(0, key, 1) for key in "abcde"]))
        assert len(state) <= 15
    assert content(state) == {(0, key): 100 for key in "abcde"}


def test_many_small_snapshots_stay_few_segments_and_upload_little() -> None:
    state = new()
    state.append(partials([(0, f"base{i}", 1) for i in range(1000)]))
    uploaded: dict[str, int] = {}
    for number in range(50):
        state.append(partials([(0, f"k{number}", 1)]))
        segments = state.snapshot()
        assert len(segments) <= 8
        uploaded |= {s.id: s.frame.height for s in segments}
    assert sum(uploaded.values()) < 1600
    assert len(content(state)) == 1050


def test_a_piece_is_rewritten_only_when_most_of_it_is_dead() -> None:
    state = new()
    state.append(partials([(pane, "a", 1) for pane in range(10)]))
    [first] = state.snapshot()
    state.drop_before(4)
    assert state.snapshot() == (first,)
    state.drop_before(6)
    [rewritten] = state.snapshot()
    assert (rewritten.id, rewritten.frame.height) == ("1-1", 4)
    state.drop_before(10)
    assert state.snapshot() == ()


@given(st.lists(st.text(max_size=2)), st.integers(1, 4))
def test_redistribution_gives_each_row_to_one_subtask(keys: list[str], parallelism: int) -> None:
    frame = pl.DataFrame({"k": keys}, schema={"k": pl.String}).with_row_index("row")
    parts = [owned(frame, ["k"], index, parallelism) for index in range(parallelism)]
    assert sorted(row for part in parts for row in part["row"]) == list(range(len(keys)))


def test_restored_segments_of_no_rows_are_forgotten() -> None:
    state = new("2")
    state.restore([Segment("1-0", partials([]))])
    assert state.snapshot() == ()
