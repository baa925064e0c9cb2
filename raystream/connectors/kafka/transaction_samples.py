"""A producer's transaction in the statistics samples of librdkafka."""

from __future__ import annotations

import json

from raystream.connectors.kafka.clients import ProducerStatistics


def transaction_in(sample: str) -> ProducerStatistics:
    """Identity, state and partitions written so far.

    >>> transaction_in('{"eos": {"producer_id": 7, "producer_epoch": 0, "txn_state": "Ready"}}')
    ProducerStatistics(producer_id=7, epoch=0, state='Ready', partitions=())
    """
    content = json.loads(sample)
    eos = content.get("eos", {})
    written = {
        int(number)
        for topic in content.get("topics", {}).values()
        for number, partition in topic.get("partitions", {}).items()
        if int(number) >= 0 and partition.get("txmsgs", 0) > 0
    }
    return ProducerStatistics(
        eos.get("producer_id", -1),
        eos.get("producer_epoch", -1),
        eos.get("txn_state", ""),
        tuple(sorted(written)),
    )
