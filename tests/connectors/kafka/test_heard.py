"""Who does not answer a producer, by samples of librdkafka's statistics."""

from __future__ import annotations

from typing import Any

from raystream.connectors.kafka.heard import Heard
from raystream.observe.silence import Silence


def sample(second: float, *brokers: dict[str, Any], queued: int = 0) -> dict[str, Any]:
    part = {"leader": 2, "msgq_cnt": queued}
    return {
        "ts": second * 1_000_000,
        "brokers": {one["name"]: one for one in brokers},
        "topics": {"out": {"partitions": {"0": part, "-1": {"leader": -1}}}},
    }


def broker(number: int, state: str = "UP", waiting: int = 0, idle: float = 0) -> dict[str, Any]:
    return {
        "name": f"b{number}",
        "nodeid": number,
        "nodename": f"b{number}:9092",
        "source": "learned",
        "state": state,
        "waitresp_cnt": waiting,
        "rxidle": idle * 1_000_000,
    }


def test_a_broker_that_owes_an_answer_is_waited_for() -> None:
    heard = Heard()
    heard.see(sample(10, broker(1), broker(2)))
    heard.see(sample(16, broker(1, waiting=2, idle=6), broker(2)))
    assert heard.keep_waiting() == [Silence("broker b1:9092", 6.0)]
    heard.see(sample(17, broker(1, waiting=0, idle=0), broker(2)))
    assert heard.keep_waiting() == []


def test_a_broker_without_connection_is_waited_for_where_records_are_queued() -> None:
    heard = Heard()
    heard.see(sample(10, broker(1, "INIT"), broker(2, "INIT")))
    heard.see(sample(30, broker(1, "INIT"), broker(2, "TRY_CONNECT")))
    assert heard.keep_waiting() == []
    heard.see(sample(31, broker(1, "INIT"), broker(2, "TRY_CONNECT"), queued=3))
    assert heard.keep_waiting() == [Silence("broker b2:9092", 21.0)]


def test_a_question_after_a_long_rest_is_no_long_silence() -> None:
    heard = Heard()
    heard.see(sample(10, broker(1, idle=0)))
    heard.see(sample(500, broker(1, idle=490)))
    heard.see(sample(501, broker(1, waiting=1, idle=491)))
    assert heard.keep_waiting() == []
    heard.see(sample(505, broker(1, waiting=1, idle=495)))
    assert heard.keep_waiting() == [Silence("broker b1:9092", 5.0)]
