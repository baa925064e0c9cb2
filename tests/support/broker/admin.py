"""Topics and access rules of a test cluster, made by its admin user."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tests.support.broker.failure import BrokerError

if TYPE_CHECKING:
    from confluent_kafka.admin import AclBinding, AdminClient

TIMEOUT_S = 30.0


class BrokerAdmin:
    """Administration of a running cluster.

    Args:
        bootstrap: Its addresses.
        security: Client settings of a user who may do everything.
    """

    def __init__(self, bootstrap: str, security: Mapping[str, str]) -> None:
        from confluent_kafka.admin import AdminClient

        self._client: AdminClient = AdminClient(
            {"bootstrap.servers": bootstrap, "log_level": 0, **security}
        )

    def create_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> None:
        """Makes a topic and waits until each partition has a leader.

        Args:
            name: The topic.
            partitions: How many partitions.
            config: Topic settings, such as `max.message.bytes`.

        Raises:
            BrokerError: It exists already, or no leader was elected in time.
        """
        from confluent_kafka.admin import NewTopic

        topic = NewTopic(name, num_partitions=partitions, config=dict(config))
        self._await(self._client.create_topics([topic])[name])
        deadline = time.monotonic() + TIMEOUT_S
        while self._leaders(name) < partitions:
            if time.monotonic() > deadline:
                message = f"topic {name} got no leader for each of its {partitions} partitions"
                raise BrokerError(message)
            time.sleep(0.02)

    def delete_topic(self, name: str) -> None:
        """Deletes a topic.

        Args:
            name: The topic.

        Raises:
            BrokerError: There is no such topic.
        """
        self._await(self._client.delete_topics([name])[name])

    def allow(self, user: str, read: Sequence[str], write: Sequence[str], prefix: str) -> None:
        """Gives a user what one job needs, and no more.

        Args:
            user: The SCRAM user.
            read: Topics it may read.
            write: Topics it may write.
            prefix: What its transactional ids and groups begin with; empty for none.
        """
        bindings = _bindings(f"User:{user}", read, write, prefix)
        for done in self._client.create_acls(bindings).values():
            self._await(done)

    def _leaders(self, name: str) -> int:
        described = self._client.list_topics(name, timeout=TIMEOUT_S).topics[name]
        return sum(partition.leader >= 0 for partition in described.partitions.values())

    def _await(self, done: object) -> None:
        from confluent_kafka import KafkaException

        try:
            done.result(TIMEOUT_S)  # type: ignore[attr-defined]
        except KafkaException as error:
            raise BrokerError(error.args[0].str()) from error


def _bindings(
    principal: str, read: Sequence[str], write: Sequence[str], prefix: str
) -> list[AclBinding]:
    from confluent_kafka.admin import (
        AclBinding,
        AclOperation,
        AclPermissionType,
        ResourcePatternType,
        ResourceType,
    )

    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    rules = [
        *((ResourceType.TOPIC, topic, literal, AclOperation.READ) for topic in read),
        *((ResourceType.TOPIC, topic, literal, AclOperation.WRITE) for topic in write),
    ]
    if prefix:
        rules.append((ResourceType.TRANSACTIONAL_ID, prefix, prefixed, AclOperation.WRITE))
        rules.append((ResourceType.GROUP, prefix, prefixed, AclOperation.READ))
    return [
        AclBinding(kind, name, pattern, principal, "*", operation, AclPermissionType.ALLOW)
        for kind, name, pattern, operation in rules
    ]
