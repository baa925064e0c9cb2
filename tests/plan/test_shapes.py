"""Chains and exchanges of small graphs."""

from __future__ import annotations

import pytest

import raystream as rs
from raystream.data.batch import MESSAGE_KEY
from raystream.plan.planner import plan
from tests.plan.graphs import KAFKA, chains, exchanges, reading, step
from tests.steps import RowFunctions, WindowGlobal

MINUTE = rs.tumbling("1m")


@pytest.fixture
def p() -> rs.Pipeline:
    return rs.Pipeline("job")


def test_partials_before_the_exchange(p: rs.Pipeline) -> None:
    rows = reading(p).filter("status > 1", name="f").key_by("ip")
    rows.window(MINUTE, name="w").agg(n=rs.count()).write(KAFKA.topic("out"), name="out")
    found = p.plan(parallelism=3)
    assert chains(found) == {"requests": ["requests", "f", "w-local"], "w": ["w", "out"]}
    assert exchanges(found) == [("w-local", "main", "w", "hash", ("ip",))]
    assert [chain.parallelism for chain in found.chains] == [3, 3]
    assert step(found, "out").inputs[0].key == ("ip",)


def test_raw_rows_where_late_rows_are_wanted(p: rs.Pipeline) -> None:
    counts = reading(p).key_by("ip").window(MINUTE, name="w").agg(n=rs.count())
    counts.write(KAFKA.topic("out"), name="out")
    counts.late.write(KAFKA.topic("late"), name="late")
    found = p.plan(parallelism=2)
    assert chains(found) == {"requests": ["requests"], "w": ["w", "out"], "late": ["late"]}
    assert exchanges(found) == [
        ("requests", "main", "w", "hash", ("ip",)),
        ("w", "late", "late", "forward", ()),
    ]
    merge = step(found, "w").step
    assert isinstance(merge, WindowGlobal)
    assert not merge.pre_aggregated


def test_a_global_window_is_one_subtask(p: rs.Pipeline) -> None:
    reading(p).window(MINUTE, name="w").agg(n=rs.count()).write(KAFKA.topic("out"), name="out")
    found = p.plan(parallelism=4)
    assert found.chain("w").parallelism == 1
    assert exchanges(found) == [("w-local", "main", "w", "hash", ())]
    assert len(found.channels(found.exchanges[0])) == 4


def test_branches_end_a_chain(p: rs.Pipeline) -> None:
    rows = reading(p).filter("status > 1", name="f")
    rows.select("ip", name="a").write(KAFKA.topic("a"), name="wa")
    rows.write(KAFKA.topic("b"), name="wb")
    found = p.plan(parallelism=2)
    assert chains(found) == {"requests": ["requests", "f"], "wa": ["a", "wa"], "wb": ["wb"]}
    assert {kind for *_, kind, _ in exchanges(found)} == {"forward"}


def test_dead_letters_leave_from_inside_the_chain(p: rs.Pipeline) -> None:
    rows = reading(p, errors="dlq")
    rows.errors.write(KAFKA.topic("dead"), name="dead")
    rows.write(KAFKA.topic("out"), name="out")
    found = p.plan(parallelism=2)
    assert chains(found) == {"requests": ["requests", "out"], "dead": ["dead"]}
    assert exchanges(found) == [("requests", "errors", "dead", "forward", ())]
    write = step(found, "dead").write
    assert write is not None
    assert "reason" in write.schema.names()
    assert not write.message_key


def test_row_functions_are_fused(p: rs.Pipeline) -> None:
    rows = reading(p).map(lambda row: row, name="a").filter(lambda row: True, name="b")
    rows.flat_map(lambda row: [row], name="c").filter("x > 1", name="d").write(KAFKA.topic("out"))
    found = p.plan()
    fused = step(found, "a").step
    assert isinstance(fused, RowFunctions)
    assert len(fused.functions) == 3
    assert chains(found)["requests"] == ["requests", "a", "d", "write-out"]
    assert step(found, "d").inputs[0].open


def test_row_functions_with_two_users_stay_apart(p: rs.Pipeline) -> None:
    rows = reading(p).map(lambda row: row, name="a")
    rows.map(lambda row: row, name="b").write(KAFKA.topic("b"), name="wb")
    rows.map(lambda row: row, name="c").write(KAFKA.topic("c"), name="wc")
    assert chains(p.plan()) == {"requests": ["requests", "a"], "wb": ["b", "wb"], "wc": ["c", "wc"]}


def test_parallelism_is_inherited_and_capped(p: rs.Pipeline) -> None:
    rows = reading(p).filter("status > 1", name="f")
    rows.key_by("ip").window(MINUTE, name="w").agg(n=rs.count()).write(KAFKA.topic("o"), name="o")
    found = plan(p.graph(), 8, {}, caps={"requests": 3})
    assert {chain.name: chain.parallelism for chain in found.chains} == {"requests": 3, "w": 8}


def test_another_parallelism_rebalances_or_keeps_the_order_of_the_key(p: rs.Pipeline) -> None:
    rows = reading(p)
    rows.select("ip", name="wide", parallelism=4).write(rs.Collect(), name="c")
    keyed = reading(p, "orders").key_by("ip")
    keyed.select("ip", name="narrow", parallelism=1).write(rs.Collect(), name="d")
    found = exchanges(p.plan(parallelism=2))
    assert found == [
        ("requests", "main", "c", "rebalance", ()),
        ("orders", "main", "d", "hash", ("ip",)),
    ]


def test_union_meets_in_one_chain(p: rs.Pipeline) -> None:
    both = reading(p, "a").union(reading(p, "b"), name="u")
    both.key_by("ip").window(MINUTE, name="w").agg(n=rs.count()).write(KAFKA.topic("o"), name="o")
    found = p.plan(parallelism=2)
    assert chains(found) == {"a": ["a"], "b": ["b"], "w-local": ["u", "w-local"], "w": ["w", "o"]}
    assert exchanges(found)[:2] == [
        ("a", "main", "w-local", "forward", ()),
        ("b", "main", "w-local", "forward", ()),
    ]


def test_computed_keys_stay_a_step(p: rs.Pipeline) -> None:
    keyed = reading(p).key_by(host=rs.col("ip").str.head(3), name="k")
    keyed.window(MINUTE, name="w").agg(n=rs.count()).write(KAFKA.topic("o"), name="o")
    assert chains(p.plan())["requests"] == ["requests", "k", "w-local"]


def test_the_message_key_travels_where_rows_have_no_key(p: rs.Pipeline) -> None:
    reading(p).filter("status > 1").map(lambda row: row).write(KAFKA.topic("o"), name="o")
    found = p.plan()
    read, write = step(found, "requests").read, step(found, "o").write
    assert read is not None
    assert write is not None
    assert (read.message_key, write.message_key) == (True, True)


@pytest.mark.parametrize("how", ["key_by", "window", "collect", "key="])
def test_the_message_key_stays_where_nobody_asks(p: rs.Pipeline, how: str) -> None:
    rows = reading(p)
    if how == "key_by":
        rows.key_by("ip").write(KAFKA.topic("o"), name="o")
    elif how == "window":
        rows.window(MINUTE).agg(n=rs.count()).write(KAFKA.topic("o"), name="o")
    elif how == "collect":
        rows.write(rs.Collect(), name="o")
    else:
        rows.write(KAFKA.topic("o", key="ip"), name="o")
    read, write = step(p.plan(), "requests").read, step(p.plan(), "o").write
    assert read is not None
    assert write is not None
    assert (read.message_key, write.message_key) == (False, False)


def test_message_keys_keep_their_order_over_an_exchange(p: rs.Pipeline) -> None:
    reading(p).write(KAFKA.topic("o"), name="o", parallelism=3)
    found = p.plan(parallelism=2)
    assert exchanges(found) == [("requests", "main", "o", "hash", (MESSAGE_KEY,))]
