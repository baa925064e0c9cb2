"""When each broker last answered, from the statistics samples of librdkafka.

A broker that hangs keeps its connections open: nothing fails for a minute, and a partition that
was read to its end looks empty. Only unanswered requests reveal it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from raystream.observe.silence import Silence

SILENT_S = 3.0
"""A fetch is answered within 0.05 s if nothing is wrong; short pauses are not reported."""

_US = 1_000_000

Sample = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Broker:
    address: str
    heard: float
    """Seconds, on the clock of the samples."""
    owes: bool
    """It is connected, and has unanswered requests."""


class Heard:
    """Follows the samples of one client.

    >>> def sample(second, waiting, since):
    ...     broker = {"nodeid": 1, "nodename": "a:9092", "state": "UP"}
    ...     broker |= {"waitresp_cnt": waiting, "rxidle": since * 1_000_000}
    ...     parts = {"0": {"leader": 1}}
    ...     return {"ts": second * 1_000_000, "brokers": {"a": broker},
    ...             "topics": {"in": {"partitions": parts}}}
    >>> heard = Heard()
    >>> heard.see(sample(1, 1, 0)); heard.silent_leaders()
    {}
    >>> heard.see(sample(13, 1, 12)); heard.silent_leaders()
    {('in', 0): Silence(who='broker a:9092', seconds=12.0)}
    """

    def __init__(self) -> None:
        self._brokers: dict[int | str, _Broker] = {}
        self._leaders: dict[tuple[str, int], int] = {}
        self._queued: set[tuple[str, int]] = set()
        self._now = 0.0

    def see(self, sample: Sample) -> None:
        """Add the next sample."""
        before, self._now = self._now, sample.get("ts", 0) / _US
        for broker in sample.get("brokers", {}).values():
            self._hear(broker, before)
        for place, partition in _partitions(sample):
            leader = partition.get("leader", -1)
            if leader >= 0 or place not in self._leaders:
                self._leaders[place] = leader
            (self._queued.add if _queued(partition) else self._queued.discard)(place)

    def silent_leaders(self) -> dict[tuple[str, int], Silence]:
        """Topic and partition -> the leader that does not answer."""
        silent = self.silent_brokers()
        return {place: silent[n] for place, n in self._leaders.items() if n in silent}

    def keep_waiting(self) -> list[Silence]:
        """Silent brokers of a producer: with unanswered requests, or leaders of queued records.

        A producer has no connection to brokers that it does not need.
        """
        leaders = {self._leaders.get(place) for place in self._queued}
        return [
            who
            for node, who in self.silent_brokers().items()
            if self._brokers[node].address
            and (self._brokers[node].owes or node in leaders or node == "TxnCoordinator")
        ]

    def silent_brokers(self) -> dict[int | str, Silence]:
        """Brokers that have unanswered requests or are unreachable, and have not answered.

        By number; a coordinator by its name, such as `TxnCoordinator`.
        """
        return {
            node: Silence(f"broker {broker.address}", round(self._now - broker.heard, 1))
            for node, broker in self._brokers.items()
            if self._now - broker.heard >= SILENT_S
        }

    def _hear(self, broker: Mapping[str, Any], before: float) -> None:
        """A broker without open requests is fine, so the silence begins with the first request."""
        node = broker.get("nodeid", -1)
        if node < 0:
            if broker.get("source") != "logical":  # a bootstrap address: it has a number, too
                return
            node = broker.get("name", "")
        known = self._brokers.get(node)
        heard = known.heard if known else (before or self._now)
        up = broker.get("state") in {"UP", "UPDATE"}
        owes = up and bool(broker.get("waitresp_cnt"))
        since = broker.get("rxidle", -1)
        if up and not owes:
            heard = self._now
        elif owes and since >= 0:
            heard = max(heard, self._now - since / _US)
        address = broker.get("nodename") or (known.address if known else "")
        self._brokers[node] = _Broker(address, heard, owes)


class Hearing:
    """Receives the samples of a consumer; in no reference cycle with it.

    >>> Hearing().silent
    {}
    """

    def __init__(self) -> None:
        self._heard = Heard()
        self.silent: Mapping[tuple[str, int], Silence] = {}

    def __call__(self, sample: str) -> None:
        """Handle the next sample, as JSON from the client."""
        self._heard.see(json.loads(sample))
        self.silent = self._heard.silent_leaders()


def _partitions(sample: Sample) -> Iterator[tuple[tuple[str, int], Mapping[str, Any]]]:
    for topic, told in sample.get("topics", {}).items():
        for number, partition in told.get("partitions", {}).items():
            if int(number) >= 0:
                yield (topic, int(number)), partition


def _queued(partition: Mapping[str, Any]) -> bool:
    return any(partition.get(name) for name in ("msgq_cnt", "xmit_msgq_cnt", "msgs_inflt"))
