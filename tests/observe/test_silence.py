"""A broker or a storage that does not answer is named, wherever a person looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raystream.errors import StorageError
from raystream.observe.card import card
from raystream.observe.culprit import culprits, with_silences
from raystream.observe.live_line import live_line
from raystream.observe.live_lines import live_lines
from raystream.observe.status import CheckpointStatus, Silence, SplitStatus, StatusDocument
from raystream.observe.waiting import why_waiting
from raystream.runtime.listened import ListenedStore
from raystream.storage.memory import MemoryStore
from tests.observe.example import document

BROKER = Silence("broker kafka-2:9092", 12.3)
SAID = "broker kafka-2:9092 has not answered for 12 s"


def frozen() -> StatusDocument:
    split = SplitStatus("in/0", "read", silent=BROKER.who, silent_seconds=12.3)
    told = document(restart_count=0, restarts=(), splits=(split,), silences=(BROKER,), lag={})
    return replace(told, culprits=culprits(told))


def test_every_view_names_the_broker_and_none_says_that_all_is_read() -> None:
    told = frozen()
    lines = ["".join(text for text, _ in line) for line in live_lines(told)]
    views = [why_waiting(told), live_line(told), "\n".join(lines), card(told)]
    for view in views:
        assert SAID in view
        assert "read to the end" not in view
        assert "waiting for data" not in view
    assert "broker kafka-2:9092 does not answer" in card(told)


def test_it_comes_first_whatever_else_is_slow() -> None:
    assert culprits(frozen())[0] == f"{SAID}: partition in/0 waits for it"


@pytest.mark.parametrize("state", ["recovering", "deploying", "running", "stopping"])
def test_storage_is_named_in_every_state(state: str) -> None:
    told = with_silences(StatusDocument("sale", state), [Silence("storage s3://b/x", 7.0)])
    assert why_waiting(told) == "storage s3://b/x has not answered for 7 s"
    assert told.culprits == told.notes == ("storage s3://b/x has not answered for 7 s",)


def test_an_ended_job_waits_for_nobody() -> None:
    told = frozen().ended("failed")
    assert told.silences == ()
    assert SAID not in live_line(told)


def test_state_that_is_handed_in_and_not_stored_waits_for_storage() -> None:
    checkpoint = CheckpointStatus(running=4, running_s=9.0, waiting_for=("count[0]",))
    told = StatusDocument("sale", "running", checkpoint=checkpoint, storage="s3://b/x")
    assert culprits(told) == ("checkpoint 4 has been waiting 9 s for count[0]",)
    stored = replace(told, checkpoint=replace(checkpoint, storing_s=8.0))
    assert culprits(stored) == (
        "checkpoint 4 has been waiting 8 s for storage s3://b/x to store the state of count[0]",
    )


class Clock:
    time = 100.0

    def now(self) -> float:
        return self.time

    def wall_ms(self) -> int:
        return 0


class Failing(MemoryStore):
    works = False

    def get(self, key: str) -> bytes | None:
        if not self.works:
            what = "no answer"
            raise StorageError(what)
        return super().get(key)


def test_calls_that_fail_are_no_answer() -> None:
    clock, real = Clock(), Failing()
    store = ListenedStore(real, clock)
    for _ in range(3):
        with pytest.raises(StorageError):
            store.get("a")
        clock.time += 2.0
    assert store.silent() == (Silence(f"storage {real.url}", 6.0),)
    real.works = True
    store.get("a")
    assert store.silent() == ()


def test_a_call_without_an_answer_counts_from_its_beginning() -> None:
    clock, seen = Clock(), []
    real = MemoryStore()
    store = ListenedStore(real, clock)

    class Slow(MemoryStore):
        def list(self, prefix: str) -> list[str]:
            clock.time += 4.0
            seen.append(store.silent())
            return []

    store = ListenedStore(Slow(), clock)
    store.list("")
    assert [one.seconds for (one,) in seen] == [4.0]
    assert store.silent() == ()
