"""What the status says of a job before it runs."""

from __future__ import annotations

import pytest

from raystream.job.facts import facts, without_credentials
from raystream.job.spec import CheckpointSettings
from raystream.observe.status import EdgeStatus
from tests.job.example import plan, spec


def test_a_job_is_described_by_its_spec() -> None:
    storage = CheckpointSettings("s3://user:secret@bucket/jobs/?token=x", interval=5.0)
    told = facts(spec(checkpoint=storage, run="0f0f", bounded=True, plan=plan(3)))
    assert (told.job, told.run, told.bounded, told.parallelism) == ("example", "0f0f", True, 3)
    assert told.storage == "s3://bucket/jobs/example/"
    assert told.delivery_guarantee == "exactly_once"
    assert told.raystream_version
    assert told.edges == (EdgeStatus("read", "count", "hash", "main"),)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/tmp/a@b?c", "/tmp/a@b?c"),
        ("gs://bucket/x", "gs://bucket/x"),
        ("s3://key:se/cret@bucket/x", "s3://bucket/x"),
        ("https://a:b@host:9000/x?sig=secret#y", "https://host:9000/x"),
    ],
)
def test_no_credentials_are_shown(address: str, shown: str) -> None:
    assert without_credentials(address) == shown
