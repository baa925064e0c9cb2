"""What examples in docstrings take for granted: `rs`, and a job that runs on a cluster."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

import raystream
from raystream.api.jobs.job import Job
from raystream.job.messages import StopKind
from raystream.job.outcome import Outcome
from raystream.observe.status import StatusDocument


class Answers:
    """Answers like the coordinator of a job on a cluster; tests/api/test_job.py has a real one."""

    name = "requests-per-minute"

    def __init__(self) -> None:
        self._seconds = count(0, 3)
        self._outcome: Outcome | None = None

    def ask(self, method: str, *arguments: Any) -> Any:
        """One question."""
        if method == "ended":
            self._outcome = Outcome("finished", rows_in=9)
        if method == "stop":
            kind = "cancelled" if arguments[0] is StopKind.CANCEL else "stopped"
            self._outcome = Outcome(kind, rows_in=9)
        return {
            "status": StatusDocument(self.name, "running", uptime_s=next(self._seconds)),
            "tail": ([{"ip": "10.0.0.1", "count": 3}], None),
            "savepoint": "s3://bucket/checkpoints/requests-per-minute/savepoints/7",
            "checkpoint": 7,
        }.get(method, self._outcome)


@pytest.fixture(autouse=True)
def _names_of_examples(
    request: pytest.FixtureRequest,
    doctest_namespace: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doctest_namespace["rs"] = raystream
    if isinstance(request.node, pytest.DoctestItem) and "raystream.api" in request.node.name:
        doctest_namespace["job"] = Job(Answers(), Answers.name)
        where = "raystream.runtime.ray"
        monkeypatch.setattr(f"{where}.remote_job.find_job", lambda *_: Answers())
        monkeypatch.setattr(f"{where}.remote_job.all_jobs", lambda *_: [Answers()])
        monkeypatch.setattr(f"{where}.logs.logs", lambda *_: ["counts[1] | started"])
        started = Job(Answers(), Answers.name)
        monkeypatch.setattr("raystream.api.jobs.submit.submit", lambda *_: started)
