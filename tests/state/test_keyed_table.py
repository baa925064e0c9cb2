"""KeyedTable against a dict, over keys of all types, collisions, merges, snapshots."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.state.keyed_table import KeyedTable
from raystream.state.run import RunPolicy
from tests.state.keyed_rows import (
    Key,
    every_key,
    frame,
    keys_of,
    kinds,
    limits,
    memory,
    policies,
    schema,
)

VALUES: dict[str, pl.DataType] = {"t": pl.Int64(), "v": pl.String()}

rows = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 1),
        st.integers(0, 100),
        st.sampled_from([None, "p", "q" * 20]),
    ),
    max_size=6,
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "put", "delete", "expire", "restart", "compact"]),
        rows,
    ),
    max_size=14,
)

Rows = dict[Key, list[tuple[Any, ...]]]


class Both:
    """The table and the dict that it must agree with."""

    def __init__(self, kind: str, policy: RunPolicy, limit: int | None = None) -> None:
        self.kind, self.policy, self.memory = kind, policy, memory(limit)
        self.table = self.made("0")
        self.all: Rows = {}
        self.horizon = -1

    def made(self, prefix: str) -> KeyedTable:
        columns = schema(self.kind, VALUES)
        table = KeyedTable(["k", "j"], columns, time="t", prefix=prefix, policy=self.policy)
        table.bounded_by(self.memory)
        return table

    def do(self, what: str, given: pl.DataFrame) -> None:
        values = given.select("t", "v").rows()
        if what == "upsert":
            self.table.upsert(given)
            self.all |= {key: [row] for key, row in zip(keys_of(given), values, strict=True)}
        elif what == "put":
            self.table.put(given)
            new: Rows = {}
            for key, row in zip(keys_of(given), values, strict=True):
                new.setdefault(key, []).append(row)
            self.all |= new
        elif what == "delete":
            self.table.delete(given)
            for key in keys_of(given):
                self.all.pop(key, None)
        elif what == "expire" and values:
            self.horizon = max(self.horizon, values[0][0])
            self.table.forget(self.horizon)
        elif what == "restart":
            self.restart()
        elif what == "compact":
            self.table.compact()

    def restart(self) -> None:
        segments = self.table.snapshot()
        assert len({one.id for one in segments}) == len(segments)
        assert self.table.snapshot() == segments
        self.table = self.made(self.table._prefix + "x")
        self.table.restore(segments, same_hash=len(segments) % 2 == 0)
        self.table.forget(self.horizon)

    def live(self) -> Rows:
        fresh = {key: [r for r in had if r[0] >= self.horizon] for key, had in self.all.items()}
        return {key: had for key, had in fresh.items() if had}


@settings(max_examples=60)
@given(kinds, policies, limits, steps)
def test_a_key_has_what_was_put_last(
    kind: str,
    policy: RunPolicy,
    limit: int | None,
    done: list[tuple[str, list[tuple[Any, ...]]]],
) -> None:
    both = Both(kind, policy, limit)
    asked = every_key(kind)
    times = Counter(keys_of(asked))  # 0.0 and -0.0 are one key
    for what, each in done:
        both.do(what, frame(kind, each, VALUES))
        who, found = both.table.find(asked)
        assert who.tolist() == sorted(who)
        assert keys_of(asked[who]) == keys_of(found)
        got: Rows = {}
        for key, row in zip(keys_of(found), found.select("t", "v").rows(), strict=True):
            got.setdefault(key, []).append(row)
        live = both.live()
        assert got == {key: had * times[key] for key, had in live.items()}
        known, one = both.table.get(asked)
        expected = [live.get(key, [(None, None)])[-1] for key in keys_of(asked)]
        assert known.tolist() == [key in live for key in keys_of(asked)]
        assert one.select("t", "v").rows() == expected
    assert both.table.count() == sum(map(len, both.live().values()))
    assert Counter(keys_of(both.table.scan())) == {k: len(had) for k, had in both.live().items()}


def test_only_new_rows_have_new_names() -> None:
    table = KeyedTable(["k"], {"k": pl.Int64(), "n": pl.Int64()}, prefix="3")
    table.upsert(pl.DataFrame({"k": range(50_000), "n": range(50_000)}))
    (first,) = table.snapshot()
    table.upsert(pl.DataFrame({"k": [7], "n": [-7]}))
    again, second = table.snapshot()
    assert (again.id, second.id) == (first.id, "3-1")
    assert second.frame.height == 1
    assert table.get(pl.DataFrame({"k": [7, 8]}))[1]["n"].to_list() == [-7, 8]


def test_some_columns_can_be_asked_for() -> None:
    table = KeyedTable(["k"], {"k": pl.Int64(), "n": pl.Int64(), "m": pl.String()}, prefix="0")
    table.put(pl.DataFrame({"k": [1], "n": [2], "m": ["x"]}))
    assert table.find(pl.DataFrame({"k": [1]}), ["m"])[1].to_dict(as_series=False) == {
        "k": [1],
        "m": ["x"],
    }
