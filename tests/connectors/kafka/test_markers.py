"""Markers that a broker forgot: looked for, written when all is decided, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from raystream.connectors.base import Verdict
from raystream.connectors.kafka.answers import (
    CLUSTER_AUTHORIZATION_FAILED,
    TOPIC_AUTHORIZATION_FAILED,
)
from raystream.connectors.kafka.clients import (
    NO_ANSWER,
    Identity,
    OpenOnPartition,
    Partition,
    PartitionState,
    TransactionState,
)
from raystream.connectors.kafka.handle import Handle
from raystream.connectors.kafka.markers import Ended, Markers

ME = Identity("job.0a1b2c3d.1.write.0.0", 7, 3)
OUT: Partition = ("out", 0)
OPEN = OpenOnPartition(7, 3, 2, 228)
ENDED = Ended(ME, (OUT,))


@dataclass
class Brokers:
    """A coordinator that says `state`, and leaders that show `open_on` until a marker comes.

    `late` is how many looks it takes until the broker's own markers arrive; None: forgotten.
    """

    state: str = "CompleteCommit"
    epoch: int = 3
    late: int | None = None
    code: int = 0
    may_mark: bool = True
    shown: OpenOnPartition = OPEN
    looks: int = 0
    slept: float = 0.0
    written: list[tuple[OpenOnPartition, Partition, bool]] = field(default_factory=list)

    def producers(self, partitions: Sequence[Partition]) -> dict[Partition, PartitionState]:
        self.looks += 1
        there = self.late is not None and self.looks > self.late
        done = there or bool(self.written and self.may_mark)
        state = PartitionState(self.code, () if done or self.code else (self.shown,))
        return dict.fromkeys(partitions, state)

    def describe(self, tids: Sequence[str]) -> list[TransactionState]:
        return [TransactionState(0, self.state, ME.pid, self.epoch, (OUT,)) for _ in tids]

    def mark(self, one: OpenOnPartition, partition: Partition, *, commit: bool) -> int:
        self.written.append((one, partition, commit))
        return 0 if self.may_mark else CLUSTER_AUTHORIZATION_FAILED

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def confirm(self, *ended: Ended) -> list[Verdict]:
        admin: object = self
        return Markers(admin, self.sleep).confirm(ended)  # type: ignore[arg-type]


def test_markers_that_are_there_cost_one_look():
    brokers = Brokers(late=0)
    assert brokers.confirm(ENDED, ENDED) == [Verdict.COMMITTED] * 2
    assert (brokers.looks, brokers.slept, brokers.written) == (1, 0.0, [])


def test_markers_that_come_a_little_later_are_waited_for():
    brokers = Brokers(state="PrepareCommit", late=4)
    assert brokers.confirm(ENDED) == [Verdict.COMMITTED]
    assert brokers.written == []


def test_a_coordinator_that_still_writes_them_is_left_alone():
    brokers = Brokers(state="PrepareCommit")
    assert brokers.confirm(ENDED) == [Verdict.BUSY]
    assert brokers.written == []


@pytest.mark.parametrize(("state", "epoch"), [("CompleteCommit", 3), ("Empty", 4), ("Ongoing", 4)])
def test_forgotten_markers_are_written(state: str, epoch: int):
    """Also if the id was opened anew meanwhile: our epoch is over."""
    brokers = Brokers(state=state, epoch=epoch)
    assert brokers.confirm(ENDED) == [Verdict.COMMITTED]
    assert brokers.written == [(OPEN, OUT, True)]


def test_an_aborted_transaction_gets_abort_markers():
    brokers = Brokers(state="Empty", epoch=4)
    assert brokers.confirm(Ended(ME, (OUT,), commit=False)) == [Verdict.COMMITTED]
    assert brokers.written == [(OPEN, OUT, False)]


def test_an_abort_under_way_is_waited_for():
    brokers = Brokers(state="PrepareAbort", epoch=4)
    assert brokers.confirm(Ended(ME, (OUT,), commit=False)) == [Verdict.BUSY]
    assert brokers.written == []


def test_without_leave_to_write_them_it_is_said(caplog: pytest.LogCaptureFixture):
    brokers = Brokers(may_mark=False)
    assert brokers.confirm(ENDED) == [Verdict.REFUSED]
    (record,) = caplog.records
    assert "forgot to say so on out/0 (KAFKA-20734): readers wait at offset 228" in record.message
    assert "allow ClusterAction on the cluster, then run again" in record.message


def test_a_leader_that_does_not_answer_is_asked_again():
    brokers = Brokers(code=NO_ANSWER)
    assert brokers.confirm(ENDED) == [Verdict.AGAIN]
    assert brokers.written == []


def test_who_may_not_look_trusts_the_coordinator():
    brokers = Brokers(code=TOPIC_AUTHORIZATION_FAILED)
    assert brokers.confirm(ENDED) == [Verdict.COMMITTED]


def test_what_others_have_open_is_not_ours():
    brokers = Brokers(shown=OpenOnPartition(7, 4, 2, 300))
    assert brokers.confirm(ENDED) == [Verdict.COMMITTED]
    assert brokers.written == []


def test_a_real_leader_shows_what_is_open_and_takes_a_marker(bench, topic):
    """WriteTxnMarkers ends the transaction behind its coordinator's back."""
    sink = bench.kafka().topic(topic, transaction_timeout="60s").as_sink()
    writer = bench.writer(sink)
    writer.write(bench.rows(("a", 1), ("b", 2)))
    good = bench.pre_commit(writer)
    identity = Handle.from_text(good.handle).identity
    admin = bench.kafka().transactions()
    partitions = [(topic, int(text.rpartition("/")[2])) for text in good.partitions]
    found = admin.producers(partitions)
    for partition in partitions:
        (one,) = found[partition].open
        assert (one.pid, one.epoch) == (identity.pid, identity.epoch)
        assert admin.mark(one, partition, commit=True) == 0
    assert len(bench.visible(topic, 2)) == 2
    assert all(not state.open for state in admin.producers(partitions).values())
    assert admin.describe([identity.tid])[0].partitions == tuple(sorted(partitions))
    assert admin.producers([("no-such-topic", 0)])["no-such-topic", 0].code == 3
    admin.close()
    writer.close()


def test_only_partitions_that_wait_are_asked_again() -> None:
    """At 1,000 partitions an answer about all of them takes 11 MB."""
    many = tuple(("out", number) for number in range(1000))
    brokers, asked = Brokers(late=99), []

    def producers(partitions: Sequence[Partition]) -> dict[Partition, PartitionState]:
        asked.append(len(partitions))
        waits = 3 if len(asked) < 3 else 0
        return {one: PartitionState(0, (OPEN,) if one[1] < waits else ()) for one in partitions}

    brokers.producers = producers  # type: ignore[method-assign]
    assert brokers.confirm(Ended(ME, many)) == [Verdict.COMMITTED]
    assert asked == [1000, 3, 3]
