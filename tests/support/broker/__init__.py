"""A real Apache Kafka for tests, demo and development: started, broken, stopped on purpose."""

from __future__ import annotations

from tests.support.broker.cluster import Broker
from tests.support.broker.failure import BrokerError

__all__ = ["Broker", "BrokerError"]
