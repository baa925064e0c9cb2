"""`raystream submit`: mistakes are reported before anything leaves this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from raystream.cli import submit
from raystream.cli.app import app, main

PYTHON = "import raystream as rs\np = rs.Pipeline('job')\n"
YAML = "name: job\nsource: {datagen: {rate: 1}}\nsink: {files: {path: out}}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's directory, which is the current one."""
    home = tmp_path / "project"
    (home / "jobs").mkdir(parents=True)
    (home / "jobs" / "job.py").write_text(PYTHON)
    (home / "job.yaml").write_text(YAML)
    (tmp_path / "outside.yaml").write_text(YAML)
    monkeypatch.chdir(home)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # no head was started there
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAYSTREAM_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    return home


def wrong(home: Path) -> list[str]:
    (home / "job.yaml").write_text(YAML.replace("sink:", "snik:"))
    return ["job.yaml"]


def hiding(home: Path) -> list[str]:
    (home / "re.py").touch()
    return ["job.yaml"]


def large(home: Path) -> list[str]:
    """120 MiB that count, 130 MiB that are ignored; both are holes in the disk."""
    for name, mebibytes in (("data", 120), ("ignored", 130)):
        (home / name).mkdir()
        with (home / name / "rows").open("wb") as file:
            file.truncate(mebibytes * 2**20)
    (home / ".gitignore").write_text("ignored/\n")
    return ["jobs/job.py:p"]


MISTAKES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "no file": (lambda _: ["jobs/nothing.py:p"], "there is no file jobs/nothing.py"),
    "outside": (lambda _: ["../outside.yaml"], "is not in the working directory, which is all"),
    "storage": (
        lambda _: ["job.yaml", "--checkpoint-storage", "state"],
        "state: a relative checkpoint storage would be in Ray's copy of the working directory",
    ),
    "unset": (lambda _: ["job.yaml", "--env", "NOBODY_SET"], "NOBODY_SET is not set here"),
    "value": (lambda _: ["job.yaml", "--env", "KEY=hush"], "write --env KEY"),
    "wrong file": (wrong, "job.yaml:3:1: unknown field 'snik'; did you mean 'sink'?"),
    "hides a module": (hiding, "re would hide Python's own module re"),
    "too much": (large, "120 MiB to upload, more than 100 MiB; largest: data 120 MiB;"),
    "no directory": (lambda _: ["job", "--working-dir", "no"], "no: there is no such directory"),
    "no cluster": (lambda _: ["job.yaml"], "no Ray cluster is named, and none runs on this"),
    "nobody there": (
        lambda _: ["job.yaml", "--address", "http://127.0.0.1:9"],
        "no Ray cluster answers at http://127.0.0.1:9: Connection refused",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_at_once(
    project: Path, capsys: pytest.CaptureFixture[str], mistake: str
) -> None:
    arguments, message = MISTAKES[mistake]
    with pytest.raises(SystemExit) as ended:
        main(["submit", *arguments(project)])
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert message in said.err
    assert "hush" not in said.err
    assert said.out == ""


def handed_on(*arguments: str) -> list[str]:
    """What `raystream run` on the cluster is reported."""
    command = app().commands["submit"]
    with command.make_context("submit", list(arguments)) as context:
        return submit._handed_on(context, context.params)


def test_options_of_run_are_handed_on_as_they_were_written() -> None:
    written = ["--until", "latest", "--parallelism", "3", "--from-scratch"]
    params = ["--param", "region=eu", "--param", "note=a b=c"]
    assert handed_on("job.yaml", "--no-wait", *params, *written) == [
        *written[:4],
        *written[4:],
        *params,
    ]


def test_the_environment_of_the_submitter_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", "/only/here")
    monkeypatch.setenv("RAYSTREAM_PARALLELISM", "7")
    assert handed_on("job.yaml") == []


@pytest.mark.parametrize(
    ("target", "working_dir", "expected"),
    [
        ("jobs/job.py:p", ".", "jobs/job.py:p"),
        ("jobs/job.py", ".", "jobs/job.py"),
        ("job.yaml", ".", "job.yaml"),
        ("project/job.yaml", "project", "job.yaml"),
        ("project/jobs/job.py:p", "project", "jobs/job.py:p"),
        ("jobs.job:p", ".", "jobs.job:p"),
    ],
)
def test_the_target_is_named_as_the_cluster_sees_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, target: str, working_dir: str, expected: str
) -> None:
    if working_dir != ".":
        monkeypatch.chdir(project.parent)
    assert submit._inside(target, Path(working_dir)) == expected
