"""Questions for ids of topics: quiet while brokers pause, told when it lasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any, cast

import pytest

from raystream.connectors.kafka.clients import ClientError, Cluster
from raystream.connectors.kafka.topic_ids import GONE_S, PATIENCE_S, TopicIds
from raystream.errors import JobFailed, RaystreamError
from tests.connectors.kafka.at_once import AtOnce


class Asked:
    """A cluster that answers what it is told to; time stands still but for `pause`."""

    def __init__(self) -> None:
        self.time = 0.0
        self.answer: Mapping[str, str] | None = None
        self.questions = 0
        cluster = cast(Cluster, self)
        self.ids = TopicIds(lambda: cluster, AtOnce(), lambda: self.time)
        self.ids.expect("t", "one")

    def topic_ids(self, topics: Sequence[str]) -> Mapping[str, str]:
        self.questions += 1
        if self.answer is None:
            raise ClientError(-185, "_TIMED_OUT", "no answer in 10 s")
        return self.answer

    def pause(self, seconds: int) -> None:
        """Check twice a second, as a reader does that waits."""
        for _ in range(2 * seconds):
            self.time += 0.5
            self.ids.check()


class Later(Executor):
    """Runs nothing: the test says when there is an answer, and which."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.open: Future[Any] = Future()
        return self.open

    def answer(self, ids: Mapping[str, str]) -> None:
        self.open.set_result(ids)


def test_a_pause_of_45_s_is_not_news_and_the_question_is_asked_again() -> None:
    asked = Asked()
    asked.pause(45)
    assert asked.questions > 10
    assert not asked.ids.known()
    asked.answer = {"t": "one"}
    asked.pause(2)
    assert asked.ids.known()


def test_when_it_lasts_the_error_names_topic_time_and_cause() -> None:
    asked = Asked()
    with pytest.raises(RaystreamError) as told:
        asked.pause(int(PATIENCE_S) + 10)
    assert str(told.value) == (
        "topic t: the brokers do not say for 120 s which topic it is: _TIMED_OUT: no answer in 10 s"
    )


def test_pauses_are_not_added_up() -> None:
    asked = Asked()
    asked.pause(100)
    asked.answer = {"t": "one"}
    asked.pause(2)
    asked.answer = None
    asked.ids.expect("u", "two")
    asked.pause(100)
    assert not asked.ids.known()


def test_a_known_topic_may_go_unasked_for_as_long_as_it_takes() -> None:
    asked = Asked()
    asked.answer = {"t": "one"}
    asked.pause(2)
    asked.answer = None
    asked.ids.ask_again()
    asked.pause(1000)
    assert asked.ids.known()


@pytest.mark.parametrize(
    ("answer", "words"),
    [({"t": "two"}, "deleted and made again"), ({"u": "one"}, "was deleted")],
)
def test_another_topic_or_none_ends_the_read(answer: Mapping[str, str], words: str) -> None:
    asked = Asked()
    asked.answer = answer
    with pytest.raises(JobFailed, match=words):
        asked.pause(int(GONE_S) + 2)


def test_a_new_topic_that_a_broker_does_not_know_yet_is_asked_for_again() -> None:
    asked = Asked()
    asked.answer = {}
    asked.pause(2)
    assert not asked.ids.known()
    asked.answer = {"t": "one"}
    asked.pause(int(GONE_S) + 2)
    assert asked.ids.known()
    asked.answer = {}
    asked.ids.ask_again()
    asked.pause(2)  # times of absence are not added up
    asked.answer = {"t": "one"}
    asked.pause(2)


def test_a_topic_that_is_expected_while_a_question_is_open_is_not_held_to_its_answer() -> None:
    later = Later()
    ids = TopicIds(lambda: pytest.fail("nothing is asked here"), later)
    ids.expect("t", "one")
    ids.check()
    ids.expect("new", "two")
    later.answer({"t": "one"})
    ids.check()
    assert not ids.known()
    ids.check()
    later.answer({"t": "one", "new": "two"})
    ids.check()
    assert ids.known()
