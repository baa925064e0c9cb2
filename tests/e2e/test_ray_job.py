"""`ray job submit` to a head with token authentication, and what may happen to such a run.

A project of three files: a pipeline as YAML and as Python, and a module beside it that both use.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from raystream.verify.compare import compare
from raystream.verify.read import read_json_topic
from raystream.verify.report import report
from tests.conftest import unique
from tests.e2e.conftest import rows
from tests.e2e.harness import Input, open_transactions
from tests.support.broker import Broker
from tests.support.chaos import until
from tests.support.ray_head import RayHead
from tests.support.topics import produce

pytestmark = pytest.mark.timeout(400)

HELPER = """\
import os, time

def tidy(row):
    time.sleep(float(os.environ.get("PAUSE", "0")))
    return {**row, "ip": row["ip"].strip()}
"""
YAML = """\
name: ${JOB}
checkpoint: {interval: 300ms, storage: "${STORAGE}"}
source:
  kafka: {bootstrap_servers: kafka:9092, topic: "${INPUT}"}
  schema: {ts: int, ip: string}
  event_time: ts
  watermark: {out_of_orderness: 10s}
steps:
  - {name: tidy, map: "parts:tidy", schema: {ts: int, ip: string}}
  - {name: counts, key_by: ip, window: {tumbling: 1m}, aggregate: {count: count()}}
sink:
  kafka: {bootstrap_servers: kafka:9092, topic: "${OUTPUT}"}
"""
PYTHON = """\
import os
import raystream as rs
from parts import tidy

kafka = rs.Kafka("kafka:9092")
p = rs.Pipeline(
    os.environ["JOB"],
    checkpoint_interval="300ms",
    checkpoint_storage=os.environ["STORAGE"],
    parallelism=1,
)
requests = p.read(
    kafka.topic(os.environ["INPUT"]),
    schema={"ts": int, "ip": str},
    event_time="ts",
    watermark=rs.Watermark(out_of_orderness="10s"),
)
tidied = requests.map(tidy, schema={"ts": int, "ip": str})
counts = tidied.key_by("ip").window(rs.tumbling("1m"), name="counts").agg(count=rs.count())
counts.write(kafka.topic(os.environ["OUTPUT"]))
"""
N = 6000
VARIABLES = ("JOB", "STORAGE", "INPUT", "OUTPUT", "PAUSE", "RAYSTREAM_BOOTSTRAP_SERVERS")
NAMED = [word for name in VARIABLES for word in ("--env", name)]
SUBMIT = ["raystream", "submit", "jobs/per_minute.py:p", *NAMED]


@dataclass
class Project:
    """A user's directory, its topics, and the commands typed in it."""

    home: Path
    broker: Broker
    job: str
    input: str
    output: str
    written: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def storage(self) -> Path:
        return self.home.parent / "storage"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "JOB": self.job,
            "STORAGE": str(self.storage),
            "INPUT": self.input,
            "OUTPUT": self.output,
            "PAUSE": "0",
            "RAYSTREAM_BOOTSTRAP_SERVERS": self.broker.bootstrap,
        }

    def feed(self) -> None:
        """Some more requests, later in event time."""
        produce(self.broker.bootstrap, self.input, [rows(N, first=self.written)], partitions=2)
        self.written += N

    def command(self, head: RayHead, *words: str, **variables: str) -> tuple[int, str]:
        """Exit code and output of a command in the project's directory."""
        done = subprocess.run(
            words,
            cwd=self.home,
            env={**head.environment, **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        self.said.append(done.stdout)
        return done.returncode, done.stdout

    def followed(self, head: RayHead, **variables: str) -> subprocess.Popen[str]:
        """`raystream submit` of the Python pipeline, showing its output."""
        return subprocess.Popen(
            SUBMIT,
            cwd=self.home,
            env={**head.environment, **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start(self, head: RayHead, *arguments: str, **variables: str) -> str:
        """`ray job submit` of the Python pipeline without waiting; its submission id."""
        submission = unique("submission")
        environment = json.dumps({"env_vars": {**self.variables, **variables}})
        options = ["--no-wait", "--submission-id", submission, "--working-dir", "."]
        run = ["raystream", "run", "jobs/per_minute.py:p", *arguments]
        code, said = self.command(
            head, "ray", "job", "submit", *options, "--runtime-env-json", environment, "--", *run
        )
        assert code == 0, said
        return submission

    def commits(self) -> int:
        """Newest checkpoint that is committed."""
        marks = [int(path.name.rpartition("-")[2]) for path in self.storage.rglob("done-*")]
        return max(marks, default=-1)

    def unfinished(self) -> list[str]:
        """Checkpoints in the storage that are not committed."""
        names = {path.name for path in (self.storage / self.job).iterdir()}
        return sorted(
            n for n in names if n.startswith("m-") and n.replace("m", "done") not in names
        )

    def running(self, head: RayHead, submission: str, commits: int = 3) -> None:
        """Wait until a submitted run has committed some checkpoints of its own."""
        before = self.commits()
        until(
            lambda: self.commits() >= before + commits or ended(head, submission),
            120,
            f"commit of {submission}",
        )
        assert not ended(head, submission), head.logs(submission)

    def check(self) -> None:
        """Exactly once, and nothing hangs."""
        answer = Input(self.broker.bootstrap, self.input).answer()
        found = read_json_topic(self.broker.bootstrap, self.output)
        comparison = compare(answer, found, ["ip", "window_start"])
        assert comparison.same, report(comparison)
        assert comparison.expected > 0
        assert open_transactions(self.broker.bootstrap, self.job) == []


@pytest.fixture(scope="module")
def head() -> Iterator[RayHead]:
    with RayHead() as started:
        yield started


@pytest.fixture
def project(kafka: Broker, tmp_path: Path) -> Project:
    home = tmp_path / "project"
    (home / "jobs").mkdir(parents=True)
    (home / "jobs" / "parts.py").write_text(HELPER)
    (home / "jobs" / "per_minute.py").write_text(PYTHON)
    (home / "jobs" / "per_minute.yaml").write_text(YAML)
    topics = [kafka.create_topic(unique(name), 2) for name in ("submit-in", "submit-out")]
    made = Project(home, kafka, unique("job"), *topics)
    made.feed()
    return made


def submission_of(view: subprocess.Popen[str]) -> str:
    """The id that `raystream submit` tells."""
    assert view.stdout is not None
    said = ""
    for line in view.stdout:
        if line.startswith("submitted "):
            return line.split()[1].rstrip(":")
        said += line
    raise AssertionError(said)


def ended(head: RayHead, submission: str) -> bool:
    return head.job(submission)["status"] in {"SUCCEEDED", "FAILED", "STOPPED"}


def end_of(head: RayHead, submission: str) -> tuple[str, int | None]:
    """Status and exit code of a submitted run, once it has ended."""
    until(lambda: ended(head, submission), 120, f"end of {submission}")
    job = head.job(submission)
    return job["status"], job["driver_exit_code"]


def test_a_pipeline_file_by_ray_job_submit(head: RayHead, project: Project) -> None:
    variables = json.dumps({"env_vars": project.variables})
    submit = ["ray", "job", "submit", "--working-dir", ".", "--runtime-env-json", variables, "--"]
    run = ["raystream", "run", "jobs/per_minute.yaml", "--until", "latest"]
    code, said = project.command(head, *submit, *run)
    assert code == 0, said
    assert f"{project.job}: checkpoints in {project.storage}/{project.job}/" in said
    assert f"finished, read {N}, written " in said
    assert "\x1b[K" not in said.partition("Running entrypoint")[2], "a terminal's view in a log"
    project.check()


def test_a_submitted_job_is_one_of_its_name_stops_and_goes_on(
    head: RayHead, project: Project
) -> None:
    with project.followed(head, PAUSE="0.0005") as view:
        try:
            first = submission_of(view)
            project.running(head, first)
            view.send_signal(signal.SIGINT)
            said = view.communicate(timeout=60)[0]
        finally:
            view.kill()
    assert view.returncode == 0, said
    assert f"{project.job}: checkpoints in " in said
    stop = said.rpartition("the run continues; to end it: ")[2].splitlines()[0]
    assert stop.endswith(f"ray job stop --address {head.url} {first}"), said
    assert not ended(head, first)

    second = project.start(head)
    assert end_of(head, second) == ("FAILED", 2)
    assert f"job {project.job} runs on this Ray cluster already, started by " in head.logs(second)

    code, said = project.command(head, "sh", "-c", stop)  # as it was printed
    assert code == 0, said
    assert end_of(head, first)[0] == "STOPPED"
    assert "\nstopped, read " in head.logs(first), head.logs(first)
    assert project.unfinished() == []
    assert open_transactions(project.broker.bootstrap, project.job) == []

    project.feed()
    code, said = project.command(head, *SUBMIT, "--until", "latest")
    assert code == 0, said
    assert "finished, read " in said
    project.check()


def test_a_stop_that_does_not_come_to_its_end_and_a_dead_head_lose_nothing(
    head: RayHead, project: Project
) -> None:
    first = project.start(head, PAUSE="0.0005")
    project.running(head, first)
    frozen = head.subtasks("counts")[0]
    os.kill(frozen.pid, signal.SIGSTOP)
    head.stop(first)  # after 3 s Ray kills what has not ended
    assert end_of(head, first)[0] == "STOPPED"
    assert "\nstopped, read " not in head.logs(first)

    project.feed()
    with RayHead() as other:
        again = project.start(other, PAUSE="0.0005")
        project.running(other, again)
        project.feed()
        other.kill()

    last = project.start(head, "--until", "latest")
    assert end_of(head, last) == ("SUCCEEDED", 0), head.logs(last)
    project.check()


def test_without_the_token_it_is_asked_for(head: RayHead, project: Project) -> None:
    home = str(project.home.parent / "home")
    without = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN_PATH": "", "HOME": home}
    code, said = project.command(head, "raystream", "submit", "jobs/per_minute.py:p", **without)
    assert code == 2, said
    assert "asks for a token; put it into ~/.ray/auth_token or RAY_AUTH_TOKEN" in said
