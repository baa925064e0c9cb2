from __future__ import annotations

from dataclasses import replace

import pytest

from raystream.graph.policies import RestartStrategy
from raystream.job.messages import Failure
from raystream.job.restart import GiveUp, RestartPolicy

KILLED = Failure("died", "process ended by signal 9")
CALM = 600.0


def user(step: str) -> Failure:
    return Failure("user", "ZeroDivisionError: division by zero", "job.py:9", step=step)


@pytest.fixture
def policy() -> RestartPolicy:
    return RestartPolicy(RestartStrategy(initial=1.0, maximum=120.0, reset_after=CALM))


def test_the_first_restart_is_immediate_then_1_s_doubling_to_2_min(policy: RestartPolicy) -> None:
    delays = [policy.failed(KILLED, now) for now in range(12)]
    assert delays == [0, 1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120]


def test_infrastructure_is_retried_without_limit(policy: RestartPolicy) -> None:
    assert all(policy.failed(KILLED, 1.0) is not None for _ in range(2000))
    assert policy.failed(KILLED, 1.0) == 120.0


def test_after_a_calm_time_the_restart_is_immediate_again(policy: RestartPolicy) -> None:
    assert [policy.failed(KILLED, now) for now in (0, 1, 2)] == [0, 1, 2]
    assert policy.failed(KILLED, 2 + CALM) == 4.0
    assert policy.failed(KILLED, 2 + CALM + CALM + 1) == 0.0


def test_a_completed_checkpoint_makes_the_waiting_short_again(policy: RestartPolicy) -> None:
    assert [policy.failed(KILLED, now) for now in range(5)] == [0, 1, 2, 4, 8]
    policy.completed()
    assert [policy.failed(KILLED, now) for now in (6, 7)] == [1, 2]


def test_a_job_that_commits_between_its_failures_does_not_wait(policy: RestartPolicy) -> None:
    delays = []
    for now in (0, 6, 12, 14, 20):
        delays.append(policy.failed(KILLED, now))
        policy.completed()
    assert delays == [0, 0, 0, 1, 0]
    assert [policy.failed(KILLED, now) for now in (26, 32, 38)] == [0, 1, 2]  # no commit any more


@pytest.mark.parametrize("kind", ["user", "data", "engine"])
def test_a_fault_that_comes_back_at_the_same_step_ends_the_job(
    policy: RestartPolicy, kind: str
) -> None:
    fault = Failure(kind, "boom", step="parse")
    assert policy.failed(fault, 0) == 0.0
    assert isinstance(policy.failed(fault, 1), GiveUp)


def test_it_may_come_back_when_a_checkpoint_completed_in_between(policy: RestartPolicy) -> None:
    assert policy.failed(user("parse"), 0) == 0.0
    policy.completed()
    assert policy.failed(user("parse"), 1) == 1.0


def test_empty_checkpoints_in_between_prove_nothing(policy: RestartPolicy) -> None:
    assert policy.failed(user("parse"), 0) == 0.0
    policy.completed(read_on=False)
    assert isinstance(policy.failed(user("parse"), 1), GiveUp)


def test_the_same_record_ends_the_job_though_others_were_read(policy: RestartPolicy) -> None:
    fault = replace(user("parse"), record="{}, from topic t, partition 0, offset 7")
    assert policy.failed(fault, 0) == 0.0
    policy.completed()
    other = replace(user("parse"), record="{}, from topic t, partition 0, offset 9")
    assert policy.failed(other, 1) == 1.0
    policy.completed()
    assert isinstance(policy.failed(other, 2), GiveUp)


def test_a_record_that_looks_the_same_much_later_is_another_one(policy: RestartPolicy) -> None:
    fault = replace(user("parse"), record='{"v": 1}')
    assert policy.failed(fault, 0) == 0.0
    policy.completed()
    assert policy.failed(fault, CALM + 1) == 0.0


def test_another_step_is_another_fault(policy: RestartPolicy) -> None:
    assert policy.failed(user("parse"), 0) == 0.0
    assert policy.failed(user("enrich"), 1) == 1.0


def test_a_kill_in_between_does_not_hide_that_it_came_back(policy: RestartPolicy) -> None:
    policy.failed(user("parse"), 0)
    policy.failed(KILLED, 1)
    assert isinstance(policy.failed(user("parse"), 2), GiveUp)
