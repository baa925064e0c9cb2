"""What kafka-python has no public API for: its names with a leading underscore stand here alone.

Tested against one version (`tests/connectors/kafka/test_kafka_python.py`), which constraints.txt
names; with another one, look at each of them again.
"""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from raystream.connectors.kafka.clients import NO_ANSWER, ClientError

with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore", DeprecationWarning
    )  # kafka-python reads its schemas the old way
    from kafka.admin import KafkaAdminClient
    from kafka.admin._acls import valid_acl_operations
    from kafka.errors import KafkaError
    from kafka.net.inet import KafkaNetSocket

_CONNECT_MS = 30_000

_sock_connect = KafkaNetSocket.sock_connect


async def _sock_connect_or_close(
    factory: Any, net: Any, sock: Any, address: Any, timeout_at: float | None = None
) -> Any:
    try:
        return await _sock_connect(factory, net, sock, address, timeout_at)
    except BaseException:
        sock.close()
        raise


# kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector: one file
# descriptor per attempt while a broker is down.
KafkaNetSocket.sock_connect = _sock_connect_or_close


class AdminConnection:
    """Requests of our own over the connections of kafka-python's admin client; for one thread.

    Args:
        config: Address and security as options of kafka-python.

    Raises:
        ClientError: no broker answers, or it refuses us.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._client = _connected(config)
        self._manager = self._client._manager

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Await in the client's thread.

        Raises:
            KafkaError, OSError: no answer.
        """
        return self._manager.run(work)

    def send(
        self, request: Any, node: int | None = None, limit_ms: int | None = None
    ) -> Awaitable[Any]:
        """Send to a broker, or to any; awaitable only inside `run`."""
        sent: Awaitable[Any] = self._manager.send(
            request, node_id=node, request_timeout_ms=limit_ms
        )
        return sent

    def brokers(self) -> list[int]:
        """Ids of the brokers."""
        return sorted(broker.node_id for broker in self._manager.cluster.brokers())

    def version(self) -> tuple[int, ...]:
        """Version of the brokers, inferred from their answers."""
        return tuple(self._manager.broker_version_data.broker_version)

    async def metadata(self, topics: Iterable[str]) -> Mapping[str, Any]:
        """Metadata of the cluster and of these topics."""
        found: Mapping[str, Any] = await self._client._get_cluster_metadata(set(topics))
        return found

    def settings(self, resource: Any) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Settings of a topic or broker.

        Raises:
            KafkaError, OSError: no answer, or no permission.
        """
        found: Mapping[str, Mapping[str, Mapping[str, Any]]] = self._client.describe_configs(
            [resource], config_filter="all"
        )
        return found

    def close(self) -> None:
        """Close connections."""
        self._client.close()


def operations(codes: Iterable[int]) -> frozenset[str]:
    """Names of the operations with these codes: READ, WRITE, DESCRIBE, ..."""
    return frozenset(one.name for one in valid_acl_operations(codes))


def _connected(config: Mapping[str, Any]) -> Any:
    client = KafkaAdminClient.__new__(KafkaAdminClient)
    try:
        client.__init__(
            max_in_flight_requests_per_connection=64,
            bootstrap_timeout_ms=_CONNECT_MS,
            request_timeout_ms=_CONNECT_MS,
            **config,
        )
    except (KafkaError, OSError, ValueError) as error:
        _dispose(client)
        raise ClientError(NO_ANSWER, type(error).__name__, str(error)) from None
    return client


def _dispose(client: Any) -> None:
    """Close a client whose constructor failed: its thread and sockets already exist."""
    if hasattr(client, "_net"):
        client._client.close()
        client._net.stop()
