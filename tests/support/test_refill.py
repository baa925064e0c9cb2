"""A notebook deletes no topic that it did not make, and none under a running job."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import raystream as rs
from raystream.observe.status import StatusDocument, StepStatus
from raystream.verify.read import read_topic
from tests.support.broker import Broker, BrokerError
from tests.support.topics import refill

ROWS = pl.DataFrame({"n": [1, 2, 3]})


def test_only_its_own_topics_and_none_that_a_running_job_uses(
    kafka: Broker,
    topic_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    state = ["ended"]

    class Known:
        name = "sale"

        def status(self) -> StatusDocument:
            step = StepStatus("read", "read", 1, description=f"kafka topic {topic_name}")
            return StatusDocument("sale", state[0], steps=(step,))

    monkeypatch.setattr(rs, "jobs", lambda: [Known()])
    kafka.create_topic(topic_name, 1)
    with pytest.raises(BrokerError, match="was not made by refill"):
        refill(kafka.bootstrap, topic_name, ROWS)
    mine = f"{topic_name}-mine"
    refill(kafka.bootstrap, mine, ROWS)
    refill(kafka.bootstrap, mine, ROWS)
    assert len(list(read_topic(kafka.bootstrap, mine))) == len(ROWS)
    state[0] = "running"
    refill(kafka.bootstrap, topic_name, ROWS)
    said = capsys.readouterr().out
    assert f"topic {topic_name} is used by job sale, which is running: it is left as it is" in said
