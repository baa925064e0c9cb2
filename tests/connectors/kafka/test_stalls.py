"""Partitions that stand: when their log is looked at, and what of it ends the read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from raystream.connectors.kafka.clients import ClientError, LogBytes, Partition, Place
from raystream.connectors.kafka.stalls import Stalls
from raystream.errors import JobFailed
from tests.connectors.kafka.at_once import AtOnce

ZEROS = bytes(80)


@dataclass
class Log:
    """Answers from a table; counts the looks."""

    holds: dict[Partition, LogBytes] = field(default_factory=dict)
    looks: list[list[Place]] = field(default_factory=list)
    broken: bool = False

    def read(self, places: Sequence[Place], limit: int) -> Mapping[Partition, LogBytes]:
        self.looks.append(list(places))
        if self.broken:
            raise ClientError(-1, "NO", "nobody answers")
        return self.holds

    def close(self) -> None:
        pass


class Watch:
    """A partition at an offset, seen every second."""

    def __init__(self, log: Log) -> None:
        self.time = 0.0
        self.stalls = Stalls(lambda: log, AtOnce(), lambda: self.time)

    def seconds(self, count: int, *waiting: Place) -> None:
        for _ in range(count):
            self.time += 1.0
            assert self.stalls.due()
            self.stalls.check(waiting)
            assert not self.stalls.due()


def test_one_that_moves_is_never_looked_at() -> None:
    log = Log()
    watch = Watch(log)
    for offset in range(60):
        watch.seconds(1, Place("t", 0, offset))
    assert log.looks == []


def test_one_that_stands_is_looked_at_and_damage_ends_the_read() -> None:
    log = Log({("t", 1): LogBytes(0, 99, ZEROS)})
    watch = Watch(log)
    for offset in range(6):
        watch.seconds(1, Place("t", 0, offset), Place("t", 1, 7))
    with pytest.raises(JobFailed, match="topic t, partition 1, offset 7"):
        watch.seconds(1, Place("t", 0, 7), Place("t", 1, 7))
    assert log.looks == [[Place("t", 1, 7)]]


@pytest.mark.parametrize(
    "found",
    [
        LogBytes(0, 7, ZEROS),  # an open transaction, or the end
        LogBytes(6, 99, ZEROS),  # the leader moves
        None,
    ],
)
def test_what_is_no_damage_is_looked_at_again_after_a_while(found: LogBytes | None) -> None:
    log = Log({} if found is None else {("t", 0): found})
    Watch(log).seconds(50, Place("t", 0, 7))
    assert 2 <= len(log.looks) <= 4


def test_brokers_that_do_not_answer_are_no_damage() -> None:
    log = Log(broken=True)
    Watch(log).seconds(50, Place("t", 0, 7))
    assert 2 <= len(log.looks) <= 4


def test_an_empty_answer_is_damage_when_it_comes_again() -> None:
    log = Log({("t", 0): LogBytes(0, 99, b"")})
    watch = Watch(log)
    watch.seconds(8, Place("t", 0, 7))
    watch.seconds(8, Place("t", 0, 8))
    with pytest.raises(JobFailed, match="offset 8: .*sends nothing of it; the log goes on to 99"):
        watch.seconds(10, Place("t", 0, 8))
    assert [look[0].offset for look in log.looks] == [7, 8, 8]


def test_one_that_went_on_meanwhile_is_not_judged() -> None:
    log = Log({("t", 0): LogBytes(0, 99, ZEROS)})
    watch = Watch(log)
    watch.seconds(6, Place("t", 0, 7))
    watch.seconds(1, Place("t", 0, 8))
    assert len(log.looks) == 1
