"""WindowTable against a dict, over keys of all types, collisions, merges, snapshots."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from raystream.state.fold import Choice, Fold, Way
from raystream.state.run import HASH, RunPolicy
from raystream.state.window_table import WindowTable
from tests.state.keyed_rows import Key, bounded, frame, keys_of, kinds, policies, schema

VALUES: dict[str, pl.DataType] = {
    "pane": pl.Int64(),
    "sum": pl.Int64(),
    "low": pl.Int64(),
    "all": pl.List(pl.Int64()),
}
BY_COLUMNS = pl.col("all").list.explode().sort()

WHOLE: dict[str, pl.DataType] = {
    "pane": pl.Int64(),
    "sum": pl.Int128(),
    "low": pl.Int16(),
    "top": pl.UInt8(),
}

rows = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 1),
        st.integers(0, 4),
        st.integers(-9, 9),
        st.one_of(st.none(), st.integers(-9, 9)),
    ),
    max_size=10,
)
steps = st.lists(st.tuples(st.sampled_from(["append", "append", "drop", "restart"]), rows))


def made(kind: str, policy: RunPolicy, prefix: str) -> WindowTable:
    fold = Fold({"sum": "sum", "low": "min", "all": BY_COLUMNS})
    columns = schema(kind, VALUES)
    table = WindowTable(["k", "j"], columns, pane="pane", fold=fold, prefix=prefix, policy=policy)
    return bounded(table, policy)


WAYS: dict[str, Way] = {"sum": "sum", "low": "min", "top": "max"}


class _BySort(Fold):
    """Never by a hash table."""

    def numbers(self, frame: pl.DataFrame) -> None:
        """As with a column of texts."""


def lowest(values: list[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)


@settings(max_examples=60)
@given(kinds, policies, steps)
def test_a_pane_has_one_partial_per_key(
    kind: str, policy: RunPolicy, done: list[tuple[str, list[tuple[Any, ...]]]]
) -> None:
    table, horizon = made(kind, policy, "0"), -(10**9)
    everything: dict[tuple[int, Key], list[tuple[int, int | None]]] = {}
    for what, each in done:
        given = frame(kind, [(*row, [row[3]]) for row in each], VALUES)
        if what == "append":
            given = given.filter(pl.col("pane") >= horizon)
            table.append(given)
            values = given.select("pane", "sum", "low").rows()
            for key, (pane, number, low) in zip(keys_of(given), values, strict=True):
                everything.setdefault((pane, key), []).append((number, low))
        elif what == "drop" and each:
            horizon = max(horizon, each[0][2])
            table.forget(horizon)
            everything = {at: had for at, had in everything.items() if at[0] >= horizon}
        elif what == "restart":
            again = made(kind, policy, table._prefix + "x")
            again.restore(table.snapshot(), same_hash=len(each) % 2 == 0)
            table = again
            table.forget(horizon)
        first = each[0][2] if each else -1
        found = table.select(first, first + 2)
        got = {
            (pane, key): values
            for key, (pane, *values) in zip(
                keys_of(found), found.select(*VALUES).rows(), strict=True
            )
        }
        assert len(got) == found.height
        assert got == {
            at: [sum(n for n, _ in had), lowest([low for _, low in had]), sorted(n for n, _ in had)]
            for at, had in everything.items()
            if first <= at[0] < first + 2
        }


many = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, 1),
            st.integers(-1, 2),
            st.integers(-(2**70), 2**70) | st.integers(-9, 9),
            st.integers(-(2**15), 2**15 - 1),
            st.integers(0, 255),
        ),
        min_size=1,
        max_size=40,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40)
@given(kinds, st.sampled_from([64, 2, 0]), st.integers(1, 60), many)
def test_integers_are_folded_by_a_hash_table_as_by_sort(
    kind: str, bits: int, memtable: int, appended: list[list[tuple[Any, ...]]]
) -> None:
    policy = RunPolicy(hash_bits=bits, memtable=memtable)
    by_table, by_sort = (
        WindowTable(
            ["k", "j"], schema(kind, WHOLE), pane="pane", fold=fold, prefix="0", policy=policy
        )
        for fold in (Fold(WAYS), _BySort(WAYS))
    )
    for each in appended:
        for table in (by_table, by_sort):
            table.append(frame(kind, each, WHOLE))
    tables = [table.select(-5, 9).drop(HASH) for table in (by_table, by_sort)]
    if bits == 64:
        assert_frame_equal(*tables)
    else:
        assert_frame_equal(*tables, check_row_order=False)


def test_rows_are_sorted_when_they_fill_a_run_and_forgotten_with_their_pane() -> None:
    columns = {"k": pl.Int64(), "pane": pl.Int64(), "n": pl.Int64()}
    table = WindowTable(["k"], columns, pane="pane", fold=Fold({"n": "sum"}), prefix="0")
    for number in range(200):
        keys = pl.DataFrame({"k": range(1000)})
        table.append(keys.with_columns(pane=pl.lit(number // 20, pl.Int64), n=pl.lit(1, pl.Int64)))
    assert table.select(3, 4)["n"].to_list() == [20] * 1000
    table.forget(9)
    assert len(table) < 30_000
    assert table.select(0, 99)["n"].to_list() == [20] * 1000


@pytest.mark.parametrize("kind", [pl.Int128(), pl.Decimal(20, 2), pl.Float64(), pl.Int8()])
def test_numbers_of_every_width_are_folded(kind: pl.DataType) -> None:
    columns = {"k": pl.Int64(), "pane": pl.Int64(), "n": kind}
    table = WindowTable(["k"], columns, pane="pane", fold=Fold({"n": "max"}), prefix="0")
    table.append(pl.DataFrame({"k": [1, 1], "pane": [0, 0], "n": [5, 7]}, schema=columns))
    table.append(pl.DataFrame({"k": [1], "pane": [0], "n": [6]}, schema=columns))
    assert table.select(0, 1)["n"].to_list() == [7]


def test_panes_that_were_dropped_are_not_there() -> None:
    table = made("int", RunPolicy(memtable=1), "0")
    table.append(frame("int", [(1, 0, pane, 5, None, [5]) for pane in range(4)], VALUES))
    table.append(frame("int", [(2, 0, pane, 5, None, [5]) for pane in range(4)], VALUES))
    table.forget(1)
    assert table.select(0, 1).height == 0
    assert table.select(0, 2)["pane"].to_list() == [1, 1]


def test_choices_take_the_columns_of_one_row() -> None:
    """Unknown rows (null) lose; equal ones are told apart by the second column."""
    columns = {"k": pl.Int64(), "pane": pl.Int64(), "at": pl.Int64(), "v": pl.String()}
    order = [pl.col("at"), pl.col("v")]
    for first, chosen in ((True, ("a", 3)), (False, ("d", 7))):
        fold = Fold({}, [Choice(["at", "v"], order, first)])
        table = WindowTable(["k"], columns, pane="pane", fold=fold, prefix="0")
        for at, text in ((None, "z"), (7, "c"), (3, "b"), (7, "d"), (3, "a"), (None, "-")):
            table.append(pl.DataFrame({"k": [1], "pane": [0], "at": [at], "v": [text]}, columns))
        assert table.select(0, 1).select("v", "at").rows() == [chosen]


def test_only_what_is_read_is_folded_and_ranges_of_hashes_are_disjoint() -> None:
    columns = {"k": pl.Int64(), "pane": pl.Int64(), "n": pl.Int64()}
    table = WindowTable(["k"], columns, pane="pane", fold=Fold({"n": "sum"}), prefix="0")
    rows = pl.DataFrame({"k": range(100)}).join(pl.DataFrame({"pane": range(4)}), how="cross")
    for _ in range(3):
        table.append(rows.with_columns(n=pl.lit(1, pl.Int64)))
    table.select(0, 2)
    assert [run.counts() for run in table.runs] == [[(0, 100), (1, 100)]]
    assert table.pane_counts() == [(0, 100), (1, 100), (2, 300), (3, 300)]
    parts = [table.select(0, 4, part, 3) for part in range(3)]
    assert all(part.height > 60 for part in parts)
    keys = pl.concat(parts).sort("pane", "k")
    assert keys.select("k", "pane").equals(rows.sort("pane", "k"))
    assert keys["n"].to_list() == [3] * 400
    table.relabel(pl.col("pane") // 2 * 2)
    assert table.pane_counts() == [(0, 100), (2, 100)]
    assert set(table.select(0, 4)["n"]) == {6}


def test_128_bit_sums_beyond_64_bits_are_exact() -> None:
    columns = {"k": pl.Int64(), "pane": pl.Int64(), "n": pl.Int128()}
    table = WindowTable(["k"], columns, pane="pane", fold=Fold({"n": "sum"}), prefix="0")
    for number in (2**62, 2**62, 2**62, -5):
        table.append(pl.DataFrame({"k": [1], "pane": [0], "n": [number]}, schema=columns))
    assert table.select(0, 1)["n"].to_list() == [3 * 2**62 - 5]
