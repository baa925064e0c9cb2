"""Records that set and remove rows by key, as changes, against a dict in plain Python."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import TIME
from raystream.data.changes import CHANGE, RowKind
from raystream.errors import ConfigurationError
from raystream.operators.latest.operator import Latest
from raystream.operators.latest.step import Latest as Step
from raystream.testing import CRASH, feed
from raystream.verify.evaluate import evaluate
from tests.operators.test_group_aggregate import Subtasks, plain

ROWS = {"k": pl.Float64(), "v": pl.Int64(), TIME: pl.Int64(), CHANGE: pl.Int8()}
ROW = st.tuples(
    st.sampled_from([1.0, -0.0, 0.0, math.nan, None]),
    st.sampled_from([1, 2, None]),
    st.integers(0, 9),
    st.sampled_from([RowKind.UPDATE_AFTER, RowKind.UPDATE_AFTER, RowKind.DELETE, None]),
)
BATCHES = st.lists(st.tuples(st.lists(ROW, max_size=7), st.sampled_from([0, 0, 1, 2, 3])))


class Tables(Subtasks):
    operator = Latest


@settings(max_examples=15)
@given(BATCHES, st.booleans())
def test_the_row_of_each_key_is_that_of_the_last_record(
    batches: list[tuple[list[tuple[Any, ...]], int]], known: bool
) -> None:
    types = {"k": ROWS["k"], "v": ROWS["v"]} if known else None
    tables = Tables(Step(("k",), types), 2)
    there: dict[Any, tuple[Any, ...]] = {}
    changes = 0
    for rows, restart in batches:
        given_ = [(k, None if kind is RowKind.DELETE else v, t, kind) for k, v, t, kind in rows]
        tables.process(pl.DataFrame(given_, schema=ROWS, orient="row"))
        for k, v, time, kind in given_:
            key = plain(k)
            if kind is RowKind.DELETE:
                changes += there.pop(key, None) is not None
            elif kind is not None and (key not in there or there[key][1] != v):
                changes += 1 + (key in there)
                there[key] = (key, v, time)
        if restart:
            tables.restart(restart)
    assert tables.output.rows() == sorted(there.values(), key=repr)
    assert len(tables.output.kinds) == changes


USERS = [
    {"id": 1, "town": "a", "ts": 1},
    {"id": 2, "town": "a", "ts": 2},
    {"id": 1, "town": "b", "ts": 3},
    {"op": "delete", "id": 2},
    {"op": "delete", "id": 9},
    {"id": 3, "town": "b", "ts": 1},
    {"id": 1, "town": "b", "ts": 8},
]


def users(**options: Any) -> rs.Pipeline:
    p = rs.Pipeline("towns", checkpoint_interval="1s")
    topic = rs.Kafka("kafka:9092").topic("users")
    schema = {"id": "int", "town": "string", "ts": "int not null"}
    table = p.read(topic, changes="upsert", key="id", schema=schema, event_time="ts", **options)
    table.write(rs.Collect(), changes="log", name="log")
    table.key_by("town").aggregate(n=rs.count()).write(rs.Collect(), changes="upsert", name="towns")
    table.write(rs.Collect(), changes="upsert", name="table")
    return p


def shown(row: dict[str, Any]) -> str:
    return str(sorted(row.items()))


@pytest.mark.parametrize("crash", [2, 4, 6])
def test_a_table_is_the_same_over_a_crash_and_a_rescale(crash: int) -> None:
    items = [*USERS[:crash], CRASH, *USERS[crash:]]
    got = feed(users(), {"users": items}, parallelism=[1, 3])
    right = evaluate(users().graph(), {"read-users": [{"ts": 0, **row} for row in USERS]})
    for sink in ("table", "towns"):
        assert sorted(map(shown, got[sink])) == sorted(map(shown, right[sink]))
    assert [row["op"] for row in got["log"] if row["id"] == 2] == ["insert", "delete"]
    times = [row["ts"] for row in got["log"] if row["id"] == 1]
    assert times == [1, 1, 3, 3, 8]


def test_records_that_do_not_fit_go_by_the_policy_of_the_read() -> None:
    p = users(errors="dlq", name="users")
    table = p.graph().node(1)
    assert (table.name, table.step) == ("users-table", Step(("id",)))
    stream = rs.Pipeline("p").read(
        rs.Rows([{"id": 1, "op": "new"}, {"id": "x"}, {"id": 2}]),
        changes="upsert",
        key="id",
        schema={"id": "int"},
        errors="dlq",
    )
    reasons = stream.errors.collect()["reason"].to_list()
    assert reasons == ["op 'new' is unknown", "column 'id': 'x' is not Int64"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"changes": "upsert"}, 'changes="upsert" needs the columns that identify a row'),
        ({"key": "id"}, "key= of a read is for records that change rows"),
        ({"changes": "log"}, "needs an event time that is in the row"),
        ({"changes": "upset", "key": "id"}, "did you mean 'upsert'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        rs.Pipeline("p").read(rs.Kafka("kafka:9092").topic("t"), **options)


def test_a_source_without_keys_has_no_upserts(tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match="can be read with changes= debezium or log"):
        rs.Pipeline("p").read(rs.Files(tmp_path), changes="upsert", key="id")
    with pytest.raises(ConfigurationError, match="no such records; leave it out"):
        rs.Pipeline("p").read(rs.Datagen(), changes="upsert", key="id")
    p = rs.Pipeline("p")
    p.read(rs.Rows([{"id": 1}]), changes="upsert", key="nr").write(rs.Collect(), changes="log")
    with pytest.raises(ConfigurationError, match="no column 'nr'"):
        p.collect()


def test_the_rows_of_a_table_go_into_no_window() -> None:
    p = rs.Pipeline("p")
    rows = p.read(rs.Rows([{"id": 1}]), changes="upsert", key="id")
    rows.window(rs.tumbling("1m")).agg(n=rs.count()).write(rs.Collect())
    with pytest.raises(ConfigurationError, match="takes rows that are only added"):
        p.collect()
