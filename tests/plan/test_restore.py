"""Who restores what, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.checkpoint.records import Checkpoint, Owner, SegmentRef, StoredState
from raystream.data.hashing import owners
from raystream.errors import ConfigurationError
from raystream.ids import SubtaskId
from raystream.plan.physical import PhysicalPlan
from raystream.plan.restore import (
    RestoreRefs,
    job_header,
    new_aggregates,
    other_sources,
    restore_states,
    schemas_of,
)
from tests.plan.graphs import KAFKA, reading


def planned(
    parallelism: int = 2, window: str = "w", size: str = "1m", **aggregates: Any
) -> PhysicalPlan:
    p = rs.Pipeline("job")
    keyed = reading(p).key_by("ip").window(rs.tumbling(size), name=window)
    keyed.agg(**(aggregates or {"n": rs.count()})).write(KAFKA.topic("out"), name="out")
    return p.plan(parallelism=parallelism)


def state(name: str, index: int) -> StoredState:
    key = f"{name}-{index}"
    return StoredState({"of": key}, (SegmentRef(key, key, 1, "x"),))


def checkpoint(plan: PhysicalPlan, **job: Any) -> Checkpoint:
    width = plan.chain("requests").parallelism
    steps = {
        "requests": tuple(StoredState({"positions": {f"requests/{i}": i}}) for i in range(width)),
        "w": tuple(state("w", i) for i in range(width)),
        "w-local": (StoredState(),) * width,
        "out": (StoredState(),) * width,
    }
    return Checkpoint(Owner(1, "n"), 7, steps, job={**job_header(plan), **job})


def test_each_subtask_takes_over_its_own_state() -> None:
    old = checkpoint(planned())
    found = restore_states(old, planned())
    assert found[SubtaskId("w", 1)] == {
        "w": RestoreRefs((old.steps["w"][1],), redistribute=False),
    }


def test_sources_always_share_out_anew() -> None:
    old = checkpoint(planned())
    found = restore_states(old, planned())
    assert found[SubtaskId("requests", 0)] == {
        "requests": RestoreRefs(old.steps["requests"], redistribute=True)
    }


@pytest.mark.parametrize("width", [1, 3])
def test_another_parallelism_redistributes(width: int) -> None:
    old = checkpoint(planned())
    found = restore_states(old, planned(width))
    assert len(found) == 2 * width
    for index in range(width):
        assert found[SubtaskId("w", index)]["w"] == RestoreRefs(old.steps["w"], redistribute=True)


@given(st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_a_subtask_gets_every_old_state_that_can_hold_its_keys(old: int, new: int) -> None:
    frame = pl.DataFrame({"ip": [f"10.0.0.{n}" for n in range(500)]})
    pairs = set(zip(owners(frame, ["ip"], old), owners(frame, ["ip"], new), strict=True))
    base = checkpoint(planned(old))
    for index in range(new):
        refs = restore_states(base, planned(new))[SubtaskId("w", index)]["w"]
        assert [state.header for state in refs.states][:old] in (
            [state.header for state in base.steps["w"]],
            [base.steps["w"][index].header] if old == new else [],
        )
        read = {state.header["of"] for state in refs.states if state.segments}
        assert {f"w-{j}" for j, i in pairs if i == index} <= read
        assert len(read) == (1 if old == new else old // math.gcd(old, new))


@pytest.mark.parametrize("other", [{"polars": "0.1"}, {"hash": "other-hash"}])
def test_another_hash_redistributes(other: dict[str, str]) -> None:
    old = checkpoint(planned(), **other)
    for parallelism in (2, 4):
        found = restore_states(old, planned(parallelism))
        assert found[SubtaskId("w", 0)]["w"] == RestoreRefs(old.steps["w"], redistribute=True)


def test_a_renamed_step_with_state_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        restore_states(checkpoint(planned()), planned(window="w2"))
    assert str(caught.value) == (
        "checkpoint 7: the checkpoint holds state of step 'w', which the job no longer has; "
        "did you mean 'w2'? If it was renamed, give it name='w'; if it is to go with its state, "
        "run once with --allow-non-restored-state"
    )


def test_removed_state_may_be_left_behind() -> None:
    found = restore_states(checkpoint(planned()), planned(window="w2"), allow_removed=True)
    assert set(found) == {SubtaskId("requests", 0), SubtaskId("requests", 1)}


def test_a_removed_source_is_refused() -> None:
    p = rs.Pipeline("job")
    reading(p, "other").key_by("ip").window(rs.tumbling("1m"), name="w").agg(n=rs.count()).write(
        KAFKA.topic("out"), name="out"
    )
    with pytest.raises(ConfigurationError, match="state of step 'requests'"):
        restore_states(checkpoint(planned()), p.plan(parallelism=2))


def test_another_topic_under_the_same_name_is_told() -> None:
    p = rs.Pipeline("job")
    read = p.read(KAFKA.topic("orders"), schema={"ip": str}, name="requests")
    read.write(KAFKA.topic("out"), name="out")
    [said] = other_sources(job_header(planned()), p.plan(parallelism=2))
    assert said.startswith(
        "step 'requests' read kafka topic requests before, and reads kafka topic orders now"
    )
    assert other_sources(job_header(planned()), planned(parallelism=3)) == []
    assert other_sources({}, planned()) == []


def test_a_stateless_step_may_go() -> None:
    assert restore_states(checkpoint(planned()), planned())


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"size": "5m"}, "window was Tumbling"),
        ({"n": rs.sum("bytes")}, "aggregates was {'n': 'count()'}, is {'n': 'sum(bytes)'}"),
        ({"m": rs.count()}, "aggregates was"),
        ({"m": rs.count(), "n": rs.sum("bytes")}, "aggregates was"),
    ],
)
def test_state_that_means_something_else_is_refused(new: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        restore_states(checkpoint(planned()), planned(**new))
    assert said in str(caught.value)
    assert "test_restore.py" in str(caught.value)


def test_a_new_aggregate_begins_beside_the_others() -> None:
    base, wider = checkpoint(planned()), planned(n=rs.count(), m=rs.sum("bytes"))
    assert restore_states(base, wider)[SubtaskId("w", 0)]["w"].states == (base.steps["w"][0],)
    assert new_aggregates(base, wider) == {"w": ["m"]}
    assert new_aggregates(base, planned()) == {}


def test_the_header_keeps_all_columns_not_only_the_decoded() -> None:
    header = job_header(planned())
    assert schemas_of(header)["requests"].names() == ["ts", "ip", "path", "status", "bytes"]
    assert header["steps"]["w"]["keys"] == ["ip"]
