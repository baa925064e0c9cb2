"""A transaction that no coordinator knows holds its readers for ever: found, named and ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from raystream.cli.app import main
from raystream.connectors.kafka.clients import OpenOnPartition
from raystream.connectors.kafka.inspection import KafkaPythonInspection
from raystream.connectors.kafka.transactions import Held, TransactionDetails
from raystream.errors import RaystreamError
from raystream.verify.read import read_topic, stable_ends
from tests.conftest import unique
from tests.support.broker import Broker

SETTING = "transaction.partition.verification.enable"
"""With it a broker of today refuses records of a transaction that its coordinator does not know."""


@pytest.fixture
def careless(kafka: Broker) -> Iterator[Broker]:
    """The broker as brokers were before KIP-890."""

    def alter(operation: AlterConfigOpType) -> None:
        entry = ConfigEntry(SETTING, "false", incremental_operation=operation)
        resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        admin.incremental_alter_configs([resource])[resource].result(30)

    alter(AlterConfigOpType.SET)
    yield kafka
    alter(AlterConfigOpType.DELETE)


def leave_hanging(bootstrap: str, topic: str) -> int:
    """A transactional record whose partition was never added to a transaction; its producer id."""
    from kafka.protocol.producer import ProduceRequest
    from kafka.protocol.producer.transaction import InitProducerIdRequest
    from kafka.record import MemoryRecordsBuilder

    from raystream.connectors.kafka.admin import KafkaPythonTransactions

    tid = unique("careless")
    ours = KafkaPythonTransactions({"bootstrap_servers": bootstrap})
    connection = ours._connection
    init = InitProducerIdRequest(
        transactional_id=tid,
        transaction_timeout_ms=60_000,
        producer_id=-1,
        producer_epoch=-1,
        max_version=4,
    )

    async def go() -> Any:
        node, _ = (await ours._coordinators([tid]))[tid]
        identity = await connection.send(init, node)
        builder = MemoryRecordsBuilder(
            2, 0, 10_000, 0, True, identity.producer_id, identity.producer_epoch, 0
        )
        builder.append(timestamp=1_700_000_000_000, key=None, value=b"never committed")
        builder.close()
        by_topic = ProduceRequest.TopicProduceData
        partition = by_topic.PartitionProduceData(index=0, records=builder.buffer())
        request = ProduceRequest(
            transactional_id=tid,
            acks=-1,
            timeout_ms=10_000,
            topic_data=[by_topic(name=topic, partition_data=[partition])],
            max_version=11,
        )
        answer = await connection.send(request, node)
        return identity.producer_id, answer.responses[0].partition_responses[0].error_code

    for _ in range(100):  # a new coordinator may still be loading
        pid, code = connection.run(go)
        if pid >= 0 and code == 0:
            ours.close()
            return int(pid)
    text = f"not written: {code}"
    raise AssertionError(text)


def test_what_was_committed_or_is_not_seen_is_not_aborted(
    kafka: Broker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit marker that the broker forgot (KAFKA-20734) hangs, too; an abort would lose it."""
    topic = kafka.create_topic(unique("forgotten"), 1)
    opened = OpenOnPartition(7, 0, 2, 12)
    committed = TransactionDetails("job.0a1b2c3d.1.write.0.0", "CompleteCommit", 7, 0)
    held = [
        Held(topic, 0, opened, committed),
        Held(topic, 0, opened, replace(committed, state="Empty", epoch=1)),
        Held(topic, 0, opened, None, all_seen=False),
    ]
    marked: list[object] = []
    monkeypatch.setattr(KafkaPythonInspection, "held", lambda *_: held)
    monkeypatch.setattr(KafkaPythonInspection, "mark", lambda *said, **_: marked.append(said))
    assert txn("abort", "--hanging", "--bootstrap-servers", kafka.bootstrap) == 2
    said = capsys.readouterr()
    assert (said.out, marked) == ("", [])
    assert said.err.splitlines() == [
        f"{topic}/0: it may have been committed ({why}): to abort it could lose it;"
        " start its job again, which writes the missing marker"
        for why in (
            f"{committed.tid}, CompleteCommit",
            f"{committed.tid}, Empty, epoch 1",
            "this user may not see whose",
        )
    ]


def txn(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["txn", *arguments])
    return int(ended.value.code or 0)


def test_it_is_listed_named_to_readers_and_ended(
    careless: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = careless.create_topic(unique("hanging"), 1)
    here = ("--bootstrap-servers", careless.bootstrap)
    pid = leave_hanging(careless.bootstrap, topic)

    assert txn("list", "--hanging", "--json", *here) == 0
    found = json.loads(capsys.readouterr().out)["hanging"]
    (mine,) = [one for one in found if one["partition"] == f"{topic}/0"]
    assert (mine["producer_id"], mine["first_offset"], mine["abort"]) == (pid, 0, "safe")

    with pytest.raises(RaystreamError) as caught:
        read_topic(careless.bootstrap, topic, timeout=0.5)
    assert f"a transaction hangs: {topic}/0 from offset 0 (producer {pid}" in str(caught.value)
    assert "see `raystream txn list`, also --hanging" in str(caught.value)

    assert txn("abort", "--hanging", *here) == 0
    assert f"{topic}/0: aborted producer {pid}, epoch 0\n" in capsys.readouterr().out
    assert stable_ends({"bootstrap.servers": careless.bootstrap}, topic, 10) == {0: 2}
    assert read_topic(careless.bootstrap, topic) == []
