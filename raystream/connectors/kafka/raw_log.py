"""Raw bytes of a partition's log from its leader, by kafka-python: no record is parsed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from raystream.connectors.kafka.admin import KafkaPythonTransactions
from raystream.connectors.kafka.clients import NO_ANSWER, LogBytes, Partition, Place

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.protocol.consumer import FetchRequest

_TOPICS_BY_NAME = 12
"""Later versions of Fetch name topics by id."""

_READ_COMMITTED = 1


class KafkaPythonRawLog(KafkaPythonTransactions):
    """clients.RawLog; use it from one thread.

    Args:
        config: Address and security in kafka-python's words.

    Raises:
        ClientError: no broker answers, or it refuses us.
    """

    def read(self, places: Sequence[Place], limit: int) -> Mapping[Partition, LogBytes]:
        """One Fetch per place."""
        return self._run(lambda: self._read(places, limit), {})  # type: ignore[no-any-return]

    async def _read(self, places: Sequence[Place], limit: int) -> dict[Partition, LogBytes]:
        leaders = await self._leaders([(place.topic, place.partition) for place in places])
        found = {}
        for place in places:
            one = (place.topic, place.partition)
            leader = leaders.get(one, -1)
            if leader == -1:
                found[one] = LogBytes(NO_ANSWER)
            else:
                found[one] = _bytes(await self._send(_request(place, limit), leader))
        return found


def _request(place: Place, limit: int) -> Any:
    topic = FetchRequest.FetchTopic
    asked = topic.FetchPartition(
        partition=place.partition, fetch_offset=place.offset, partition_max_bytes=limit
    )
    return FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        max_bytes=limit,
        isolation_level=_READ_COMMITTED,
        topics=[topic(topic=place.topic, partitions=[asked])],
        forgotten_topics_data=[],
        max_version=_TOPICS_BY_NAME,
    )


def _bytes(answer: Any) -> LogBytes:
    if answer.error_code:
        return LogBytes(answer.error_code)
    (partition,) = answer.responses[0].partitions
    return LogBytes(
        partition.error_code, partition.last_stable_offset, bytes(partition.records or b"")
    )
