"""The topics that README plays with."""

from __future__ import annotations

import json

import pytest

from raystream.errors import RaystreamError
from tests.support import play
from tests.support.broker import Broker


def test_topics_of_the_pipelines_are_made_anew_and_read(
    kafka: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        play.fill(kafka.bootstrap, 1000)
    capsys.readouterr()
    play.read(kafka.bootstrap, "orders", 3)
    told = capsys.readouterr()
    assert len([json.loads(line) for line in told.out.splitlines()]) == 3
    assert told.err == "orders: 250 committed records\n"
    play.read(kafka.bootstrap, "counts", 3)
    assert capsys.readouterr().err == "counts: 0 committed records\n"


def test_a_topic_that_is_not_there_is_said(kafka: Broker) -> None:
    with pytest.raises(RaystreamError, match="check the name"):
        play.read(kafka.bootstrap, "no-such-topic", 1)
