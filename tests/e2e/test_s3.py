"""A whole job with its checkpoints in S3: killed at named points, started again."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from tests.e2e.harness import Job
from tests.support.s3 import S3Server

ORDERS = ["commit@coordinator:2", "recover commit@coordinator:1", "acked@write:3"]


def test_a_job_goes_on_from_its_checkpoint_in_a_bucket(
    new_job: Callable[..., Job], bucket: str, s3: S3Server, answer: pl.DataFrame
) -> None:
    job = new_job(environment={"E2E_STORAGE": f"{bucket}/state", **s3.environment()})
    job.finish(ORDERS)
    job.check(answer)
    assert len(job.lives) == 1 + len(ORDERS)
    names = s3.objects(bucket.removeprefix("s3://"))
    assert {f"state/{job.name}/store.json"} <= set(names)
    assert [name for name in names if "/attempt-" in name]
    assert not list(job.home.rglob("done-*"))
