"""A job travels with its functions; a request travels without its job."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from raystream.errors import ConfigurationError
from raystream.ids import SubtaskId
from raystream.job.spec import OpenRequest
from raystream.runtime.ray.serialization import (
    differing,
    pack_job,
    pack_request,
    unpack_job,
    unpack_request,
    versions,
)
from tests import steps
from tests.runtime.ray.jobs import counting, identity


def test_a_request_carries_no_copy_of_its_job(tmp_path: Path) -> None:
    job = counting(tmp_path, function=lambda frame: identity(frame))
    packed = pack_job(job)
    original = unpack_job(packed)
    request = OpenRequest(original, 3, SubtaskId("read", 0), "0" * 8, {}, {}, b"k" * 32)
    data = pack_request(request)
    assert len(data) < 500
    opened = unpack_request(data, packed)
    assert (opened.attempt, opened.subtask, opened.channel_key) == (3, request.subtask, b"k" * 32)
    step = opened.job.plan.chain("read").steps[-1].step
    assert isinstance(step, steps.MapBatches)
    assert step.function(7) == 7


def test_a_function_that_holds_a_lock_is_refused_with_advice(tmp_path: Path) -> None:
    lock = threading.Lock()
    with pytest.raises(ConfigurationError, match=r"counting: the job cannot be sent.*inside your"):
        pack_job(counting(tmp_path, function=lambda frame: (lock, frame)))


def test_a_builtin_that_ray_replaced_meanwhile_is_sent_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = counting(tmp_path, function=print)
    monkeypatch.setattr("builtins.print", lambda *_: None)
    packed = pack_job(job)
    monkeypatch.undo()
    step = unpack_job(packed).plan.chain("read").steps[-1].step
    assert isinstance(step, steps.MapBatches)
    assert step.function is print


def test_other_versions_are_named() -> None:
    theirs = {**versions(), "polars": "0.1"}
    assert differing(theirs) == f"polars {versions()['polars']} here, 0.1 there"


def test_a_job_that_is_too_large_for_ray_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = b"x" * 2**20
    monkeypatch.setattr("raystream.runtime.ray.serialization._MOST_BYTES", 2**20)
    with pytest.raises(ConfigurationError, match="is 1 MiB large"):
        pack_job(counting(tmp_path, function=lambda frame: frame if table else None))
