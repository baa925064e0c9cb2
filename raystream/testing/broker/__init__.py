"""A real Apache Kafka for tests, the demo and development: started, broken and stopped on purpose."""

from __future__ import annotations

from raystream.testing.broker.cluster import Broker
from raystream.testing.broker.failure import BrokerError

__all__ = ["Broker", "BrokerError"]
