"""What a person sees while nothing seems to happen."""

from __future__ import annotations

import time

import pytest

from raystream.api.jobs.progress import patiently


def test_a_long_wait_is_explained_once(capsys: pytest.CaptureFixture[str]) -> None:
    with patiently("waiting for an answer from kafka topic requests", after=0.01):
        time.sleep(0.2)
    assert capsys.readouterr().err == "waiting for an answer from kafka topic requests\n"


def test_a_short_wait_and_a_failure_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    with patiently("waiting", after=0.2):
        pass
    with pytest.raises(ZeroDivisionError), patiently("waiting", after=0.2):
        _ = 1 / 0
    time.sleep(0.4)
    assert capsys.readouterr().err == ""
