"""While a broker is away: nothing is guessed, and no commit waits long behind what can wait."""

from __future__ import annotations

from typing import Any

import confluent_kafka as ck
import pytest

from raystream.checkpoint.records import Committable
from raystream.connectors.base import CommitterContext
from raystream.connectors.kafka.clients import NO_ANSWER, ClientError, Identity, TransactionState
from raystream.connectors.kafka.committer import KafkaCommitter
from raystream.connectors.kafka.confluent import ConfluentCluster
from raystream.connectors.kafka.connection import Kafka
from raystream.connectors.kafka.delivery import KafkaDelivery
from raystream.connectors.kafka.handle import Handle
from raystream.errors import RaystreamError


class Admin:
    """A coordinator that does not answer, of one stray."""

    def __init__(self) -> None:
        self.fences = 0
        self.code = NO_ANSWER

    def ongoing(self) -> list[str]:
        return ["job.0a1b2c3d.1.write.0.0"]

    def describe(self, tids: Any) -> list[TransactionState]:
        return [TransactionState(NO_ANSWER) for _ in tids]

    def fence(self, tids: Any) -> list[int]:
        self.fences += 1
        return [NO_ANSWER for _ in tids]

    def end(self, identities: Any, *, commit: bool) -> list[int]:
        return [self.code for _ in identities]

    def producers(self, partitions: Any) -> dict[Any, Any]:
        return {}


def committer(admin: Admin) -> KafkaCommitter:
    ctx = CommitterContext("job", "0a1b2c3d", "write", 2)
    return KafkaCommitter(ctx, "job", admin, lambda seconds: None)  # type: ignore[arg-type]


def test_strays_of_a_coordinator_that_is_away_are_tried_once() -> None:
    """Eight tries of 10 s each held up the next commit."""
    admin = Admin()
    assert committer(admin).abort_strays(2) == 1
    assert admin.fences == 1


def test_answers_are_not_remembered_for_ever() -> None:
    admin = Admin()
    mine = committer(admin)

    def one(number: int) -> Committable:
        handle = Handle(Identity(f"job.0a1b2c3d.1.write.{number}.0", number, 0), 60_000)
        return Committable("write", number, 1, (), handle.to_text(), 0.0)

    for number in range(3000):
        mine._end([one(number)], commit=True)
    assert len(mine._last_code) == 1000
    assert "no answer" in mine.explain(one(2999))
    admin.code = 0
    for number in range(3000):
        mine._end([one(number)], commit=True)
    assert mine._last_code == {}


class Cluster:
    def __init__(self, *answers: str | ClientError | None) -> None:
        self.answers = list(answers)

    def broker_setting(self, name: str) -> str | None:
        answer = self.answers.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return answer


def sink_on(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> KafkaDelivery:
    monkeypatch.setattr(Kafka, "cluster", lambda self: cluster)
    return KafkaDelivery(Kafka("nowhere:1").topic("out").as_sink())


def test_the_limit_of_a_transaction_is_asked_once_and_never_guessed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """15 minutes where the broker allows 1 failed every transaction that was opened later."""
    away = ClientError(NO_ANSWER, "TIMED_OUT", "no broker answers")
    sink = sink_on(Cluster(away, "60000"), monkeypatch)
    with pytest.raises(RaystreamError):
        sink._default_timeout_ms()
    assert [sink._default_timeout_ms() for _ in range(3)] == [60_000] * 3
    assert sink_on(Cluster(None), monkeypatch)._default_timeout_ms() == 900_000


@pytest.mark.parametrize(
    ("code", "told"),
    [(ck.KafkaError._TIMED_OUT, "60000"), (ck.KafkaError.CLUSTER_AUTHORIZATION_FAILED, None)],
)
def test_a_setting_is_asked_again_unless_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, code: int, told: str | None
) -> None:
    cluster = ConfluentCluster({"bootstrap.servers": "127.0.0.1:1"})
    answers: list[Any] = [ClientError(code, "x", "y"), "60000"]

    def setting(broker: int, name: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return str(answer)

    listed = type("Listed", (), {"brokers": {1: None, 2: None}})
    monkeypatch.setattr(cluster, "_listed", lambda: listed)
    monkeypatch.setattr(cluster, "_setting_of", setting)
    assert cluster.broker_setting("transaction.max.timeout.ms") == told
