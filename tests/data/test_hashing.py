from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.data.hashing import owners, partition

KEYS = st.lists(st.tuples(st.none() | st.text(max_size=3), st.none() | st.integers(0, 5)))


def _frame(rows: list[tuple[str | None, int | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"a": pl.String, "b": pl.Int64}, orient="row")


@given(KEYS, st.integers(1, 5) | st.sampled_from([100, 300]))
@settings(deadline=None)
def test_every_row_has_one_owner_and_equal_keys_the_same(rows: list, parallelism: int) -> None:
    frame = _frame(rows).with_row_index("row")
    parts = partition(frame, ["a", "b"], parallelism)
    assert len(parts) == parallelism
    owner: dict[tuple[object, object], int] = {}
    seen: list[int] = []
    for index, part in enumerate(parts):
        if part is not None:
            seen += part["row"].to_list()
            assert part["row"].is_sorted()
            for key in part.select("a", "b").rows():
                assert owner.setdefault(key, index) == index
    assert sorted(seen) == list(range(len(rows)))


@given(KEYS)
def test_owner_does_not_depend_on_the_batch(rows: list) -> None:
    whole = owners(_frame(rows), ["a", "b"], 3).to_list()
    single = [owners(_frame([row]), ["a", "b"], 3)[0] for row in rows]
    assert whole == single


@pytest.mark.parametrize("parallelism", [2, 3, 4, 7])
@pytest.mark.parametrize(
    "keys", [[f"10.0.{i // 256}.{i % 256}" for i in range(10_000)], list(range(10_000))]
)
def test_keys_are_spread_evenly(keys: list, parallelism: int) -> None:
    counts = owners(pl.DataFrame({"k": keys}), ["k"], parallelism).value_counts()["count"]
    assert counts.len() == parallelism
    assert counts.max() < 1.1 * 10_000 / parallelism  # type: ignore[operator]


def test_without_keys_subtask_0_owns_all() -> None:
    frame = pl.DataFrame({"k": [1, 2]})
    assert owners(frame, [], 3).to_list() == [0, 0]
    assert partition(frame, [], 3) == [frame, None, None]
    assert partition(frame.clear(), ["k"], 2) == [None, None]


def test_the_hash_has_not_changed_within_this_version_of_polars() -> None:
    frame = pl.DataFrame({"k": ["a", "b", "c", None, ""]})
    assert pl.__version__ == "2.1.0", "another version: note its owners here"
    assert owners(frame, ["k"], 1_000_000).to_list() == [876459, 719677, 12789, 736668, 328407]


def test_a_hundred_owners_cost_about_as_much_as_four() -> None:
    """With a filter for each owner it was 16 times as much."""
    frame = pl.DataFrame({"k": [f"10.0.{n // 256}.{n % 256}" for n in range(20_000)]})

    def cost(parallelism: int) -> float:
        began = time.process_time()
        for _ in range(5):
            partition(frame, ["k"], parallelism)
        return time.process_time() - began

    assert min(cost(100) for _ in range(5)) < 6 * min(cost(4) for _ in range(5))
