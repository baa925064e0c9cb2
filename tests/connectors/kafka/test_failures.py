"""Failures travel between processes and tell whether another attempt may help."""

from __future__ import annotations

import pickle

import pytest

from raystream.connectors.kafka.failures import KafkaFailure, write_failure
from raystream.connectors.kafka.read_errors import offset_gone, refused, topic_changed, topic_gone
from raystream.errors import JobFailed


@pytest.mark.parametrize(
    "error",
    [
        KafkaFailure("what"),
        KafkaFailure("what", "where"),
        KafkaFailure("what", "where", "do"),
        offset_gone("t", 0, 3, "gone"),
    ],
)
def test_failures_survive_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert (again.what, again.where, again.what_to_do) == (
        error.what,
        error.where,
        error.what_to_do,
    )


def test_a_restart_cures_a_lost_connection_but_not_a_record_too_large():
    assert isinstance(write_failure("broken", "t", "_TRANSPORT"), ConnectionError)
    assert isinstance(write_failure("no right", "t", "TOPIC_AUTHORIZATION_FAILED"), JobFailed)
    assert isinstance(write_failure("too large", "t", "MSG_SIZE_TOO_LARGE"), JobFailed)


def test_no_restart_brings_an_offset_or_a_topic_back():
    for error in (
        offset_gone("t", 0, 3, "x"),
        topic_changed("t"),
        topic_gone("t"),
        refused("", ""),
    ):
        assert isinstance(error, JobFailed)
