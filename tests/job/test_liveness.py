from __future__ import annotations

from raystream.ids import SubtaskId
from raystream.job.liveness import START_LIMIT_PER_SUBTASK_S, START_LIMIT_S, Liveness, suspects

A, B, C = (SubtaskId("count", index) for index in range(3))
NODES = {A: "n1", B: "n1", C: "n2"}


def watched(timeout: float = 10.0) -> Liveness:
    liveness = Liveness(timeout)
    liveness.watch([A, B], now=0)
    for subtask in (A, B):
        liveness.opened(subtask, now=0)
    return liveness


def let_pass(liveness: Liveness, start: float, end: float) -> None:
    for tenth in range(round(start * 10), round(end * 10)):
        liveness.tick(tenth / 10)


def test_who_does_not_answer_in_time_is_silent() -> None:
    liveness = watched()
    let_pass(liveness, 0, 10)
    liveness.pong(B, 9)
    assert liveness.silent(10.0) == ()
    assert liveness.silent(10.1) == (A,)
    assert liveness.silent(19.5) == (A, B)


def test_a_ping_is_due_once_a_second_at_most() -> None:
    liveness = watched()
    due = [tenth / 10 for tenth in range(31) if liveness.ping_due(tenth / 10)]
    assert due == [0.0, 1.0, 2.0, 3.0]


def test_a_short_timeout_pings_oftener() -> None:
    assert Liveness(2.0).ping_interval == 0.4


def test_opening_gets_a_limit_that_grows_with_the_number_of_subtasks() -> None:
    liveness = Liveness(10)
    many = [SubtaskId("count", index) for index in range(100)]
    liveness.watch(many, now=0)
    limit = START_LIMIT_S + 100 * START_LIMIT_PER_SUBTASK_S
    assert liveness.silent(limit) == ()
    assert liveness.silent(limit + 1) == tuple(many)


def test_it_grows_after_an_attempt_in_which_not_all_opened() -> None:
    liveness = Liveness(timeout=10)
    one = START_LIMIT_S + 2 * START_LIMIT_PER_SUBTASK_S
    limits = []
    for _ in range(5):
        liveness.watch([A, B], now=0)
        liveness.opened(A, now=0)
        limits.append(liveness.limit(B) / one)
    assert limits == [1, 2, 4, 8, 8]
    liveness.opened(B, now=0)
    liveness.watch([A, B], now=0)
    assert liveness.limit(B) == 8 * one  # the machine is no less busy now


def test_a_pong_of_the_last_attempt_does_not_count_as_open() -> None:
    liveness = Liveness(10)
    liveness.watch([A], now=0)
    liveness.pong(A, now=50)
    assert liveness.silent(70) == (A,)


def test_when_the_coordinator_itself_stood_still_everybody_gets_time() -> None:
    liveness = watched()
    let_pass(liveness, 0, 5)
    liveness.tick(100)
    assert liveness.silent(100) == ()
    let_pass(liveness, 100, 110.2)
    assert liveness.silent(110.2) == (A, B)


def test_a_node_is_suspect_when_nobody_there_answers() -> None:
    assert suspects([C], [A, B], NODES) == {"n2"}
    assert suspects([A], [B, C], NODES) == frozenset()
    assert suspects([A, B], [B, C], NODES) == {"n1"}
    assert suspects([A, SubtaskId("x", 0)], [], {**NODES}) == {"n1"}
