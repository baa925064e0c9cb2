"""Phase two by handle on a real broker: dead producers, strays, expiry, identity checks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from raystream.checkpoint.records import Committable
from raystream.connectors.base import AbortVerdict, CommitterContext, Verdict
from raystream.connectors.kafka.clients import Identity
from raystream.connectors.kafka.handle import Handle

CHILD = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import polars as pl
from raystream.connectors.base import WriteOptions
from raystream.connectors.kafka.connection import Kafka
from raystream.context import SubtaskContext
from raystream.data.schema import Schema
from raystream.ids import SubtaskId

class Clock:
    def now(self): return time.monotonic()
    def wall_ms(self): return 0

bootstrap, topic, job, attempt, prepare, timeout = sys.argv[1:]
ctx = SubtaskContext(job, "0a1b2c3d", int(attempt), "write", SubtaskId("write", 0), 1, Clock(),
                     ThreadPoolExecutor(2))
schema = Schema({"ip": pl.String(), "n": pl.Int64()}, key=("ip",))
sink = Kafka(bootstrap).topic(topic, transaction_timeout=timeout).as_sink()
writer = sink.writer(ctx, WriteOptions(schema))
while not writer.has_room():
    time.sleep(0.01)
writer.write(pl.DataFrame({"ip": ["a", "b"], "n": [1, 2]}))
if prepare == "yes":
    one = writer.prepare(1, final=False).result()
    print(one.handle, flush=True)
else:
    writer._current._producer.flush(10)
    print("open", flush=True)
time.sleep(60)
"""


def _killed_child(bench, topic, *, attempt=1, prepare=True, timeout="60s"):
    """The handle that a process pre-committed before SIGKILL."""
    arguments = [bench.broker.bootstrap, topic, bench.job, str(attempt)]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments, "yes" if prepare else "no", timeout],
        stdout=subprocess.PIPE,
        text=True,
    )
    line = child.stdout.readline().strip()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert line
    return line


def _committable(handle):
    return Committable("write", 0, 2, ("out/0",), handle, 0.1)


def test_a_transaction_of_a_killed_process_is_committed_by_its_handle(bench, topic):
    committable = _committable(_killed_child(bench, topic))
    committer = bench.committer(bench.kafka().topic(topic), attempt=2)
    assert bench.visible(topic) == []
    assert committer.check([committable]) == []
    assert bench.committed(committer.commit([committable]))
    assert len(bench.visible(topic, 2)) == 2
    assert bench.committed(committer.commit([committable]))  # duplicate delivery of EndTxn
    assert committer.abort([committable]) == [AbortVerdict.PARTLY_COMMITTED]
    committer.close()


def test_strays_of_older_attempts_are_aborted_and_nothing_else(bench, topic):
    old = Handle.from_text(_killed_child(bench, topic, attempt=1)).identity
    _killed_child(bench, topic, attempt=1, prepare=False)
    new = _committable(_killed_child(bench, topic, attempt=2))
    other = replace(bench, job=bench.job + "x")
    foreign = _committable(_killed_child(other, topic, attempt=1))
    committer = bench.committer(bench.kafka().topic(topic), attempt=2)
    assert committer.abort_strays(2) == 0
    assert committer.commit([_committable(Handle(old, 60000).to_text())]) == [Verdict.LOST]
    theirs = other.committer(bench.kafka().topic(topic), attempt=2)
    for owner, one in ((committer, new), (theirs, foreign)):
        assert owner.check([one]) == []
        assert owner.commit([one]) == [Verdict.COMMITTED]
    theirs.close()
    assert len(bench.visible(topic, 4)) == 4
    committer.close()


def test_an_expired_transaction_is_lost_and_says_so(bench, topic):
    committable = _committable(_killed_child(bench, topic, timeout="1s"))
    committer = bench.committer(bench.kafka().topic(topic), attempt=2)
    deadline = time.monotonic() + 15
    while not committer.check([committable]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (problem,) = committer.check([committable])
    assert "not Ongoing" in problem.reason
    verdict = Verdict.BUSY
    while verdict is Verdict.BUSY:
        (verdict,) = committer.commit([committable])
    assert verdict is Verdict.LOST
    text = committer.explain(committable)
    assert "write[0]: 2 records for out/0" in text
    assert "the broker answered PRODUCER_FENCED" in text
    committer.close()


def test_check_refuses_another_identity_and_an_old_transaction(bench, topic):
    sink = bench.kafka().topic(topic, transaction_timeout="60s").as_sink()
    writer, committer = bench.writer(sink), bench.committer(sink)
    writer.write(bench.rows(("a", 1)))
    good = bench.pre_commit(writer)
    handle = Handle.from_text(good.handle)
    epoch = Identity(handle.identity.tid, handle.identity.pid, handle.identity.epoch + 1)
    unknown = Identity(handle.identity.tid[:-1] + "2", 1, 0)
    cases = [
        replace(good, handle=Handle(epoch, 60000).to_text()),
        replace(good, age_s=31.0),
        replace(good, handle=Handle(unknown, 60000).to_text()),
    ]
    reasons = [problem.reason for problem in committer.check([good, *cases])]
    assert len(reasons) == 3
    assert "belongs to another producer now" in reasons[0]
    assert "was open for 31 s, more than half of transaction_timeout (60 s)" in reasons[1]
    assert "TRANSACTIONAL_ID_NOT_FOUND" in reasons[2]
    assert committer.commit(cases[2:]) == [Verdict.UNKNOWN]
    assert committer.commit(cases[:1]) == [Verdict.LOST]
    assert committer.abort([good]) == [AbortVerdict.ABORTED]
    writer.close()
    committer.close()


def test_open_transactions_of_another_store_are_reported_and_left_alone(bench, topic):
    sink = bench.kafka().topic(topic).as_sink()
    committable = _committable(_killed_child(bench, topic))
    warnings = sink.check(bench.job, "ffffffff", "write")
    assert len(warnings) == 1
    assert f"1 open transactions of a job called {bench.job!r} with other storage" in warnings[0]
    assert sink.check(bench.job, bench.STORE, "write") == []
    strange = sink.committer(CommitterContext(bench.job, "ffffffff", "write", 9))
    assert strange.abort_strays(9) == 0
    strange.close()
    owner = bench.committer(sink, attempt=2)
    assert owner.check([committable]) == []
    assert owner.commit([committable]) == [Verdict.COMMITTED]
    owner.close()


class _Wedged:
    """A broker that answers nothing but 51."""

    def end(self, identities, *, commit):
        return [51 for _ in identities]


def test_a_wedged_coordinator_is_busy_and_the_advice_is_to_restart_it():
    from raystream.connectors.kafka.committer import KafkaCommitter

    ctx = CommitterContext("job", "0a1b2c3d", "write", 1)
    committer = KafkaCommitter(ctx, "job", _Wedged(), lambda seconds: None)
    one = _committable(Handle(Identity("job.0a1b2c3d.1.write.0.0", 1, 0), 60000).to_text())
    assert committer.commit([one]) == [Verdict.BUSY]
    assert "restart its broker, then run again" in committer.explain(one)


def test_a_handle_that_is_none_is_refused():
    from raystream.errors import StorageError

    with pytest.raises(StorageError, match="is not a handle of a Kafka transaction"):
        Handle.from_text("{}")
