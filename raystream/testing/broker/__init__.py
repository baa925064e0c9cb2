"""A real Apache Kafka for tests, demo and development: started, broken, stopped on purpose."""

from __future__ import annotations

from raystream.testing.broker.cluster import Broker
from raystream.testing.broker.failure import BrokerError

__all__ = ["Broker", "BrokerError"]
