"""Topics to play with on a broker of scripts/kafka: those of the three jobs, and a look at them."""

from __future__ import annotations

import sys

from tests.support import generator
from tests.support.topics import refill

OUTPUTS = ("counts", "order-totals-per-minute", "order-totals-since-start", "campaign-effect")


def fill(bootstrap: str, records: int = 200_000) -> None:
    """Make the topics of pipelines/ anew: inputs full, outputs empty.

    Args:
        bootstrap: Addresses of a broker that may be played with.
        records: How many requests; a quarter as many orders and app events.

    Raises:
        BrokerError: a topic cannot be made or written.
    """
    inputs = {
        "requests": generator.requests(records),
        "orders": generator.orders(records // 4),
        "app-events": generator.app_events(records // 4),
    }
    for topic, rows in inputs.items():
        refill(bootstrap, topic, rows)
        print(f"{topic}: {rows.height} records", file=sys.stderr)
    for topic in OUTPUTS:
        refill(bootstrap, topic)
        print(f"{topic}: empty", file=sys.stderr)


def read(bootstrap: str, topic: str, limit: int) -> None:
    """Print the first committed records of a topic, and how many there are.

    Raises:
        RaystreamError: there is no such topic, or a transaction hangs.
    """
    from raystream.verify.read import read_topic

    records = read_topic(bootstrap, topic)
    for record in records[:limit]:
        print((record.value or b"").decode(errors="replace"))
    print(f"{topic}: {len(records)} committed records", file=sys.stderr)
