"""Transactions of a job that runs on Ray are not aborted, whatever is said about it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.e2e.harness import Job, open_transactions
from tests.support.chaos import until

pytestmark = pytest.mark.timeout(900)

_MAIN = "from raystream.cli.app import main; main()"


def test_a_job_that_runs_keeps_its_transactions(ray_job: Job) -> None:
    _, head = ray_job.where
    here = ("--bootstrap-servers", ray_job.bootstrap, "--checkpoint-storage", str(ray_job.storage))
    said = ("txn", "abort", "--job", ray_job.name, "--not-running", "--address", head)

    def abort() -> str:
        command = [sys.executable, "-c", _MAIN, *said, *here]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "aborted" not in done.stdout
        assert done.returncode == 2 or "no open transaction" in done.stderr, done.stderr
        return done.stderr

    with ray_job.start("", (), E2E_RATE="1500", E2E_INTERVAL="5s") as process:
        until(lambda: bool(open_transactions(ray_job.bootstrap, ray_job.name)), 90, "it writes")
        until(lambda: "its job runs; stop it: that ends its transactions, too" in abort(), 60, "no")
        assert process.running()
