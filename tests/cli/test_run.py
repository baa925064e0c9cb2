"""`raystream run`: targets, exit codes, and short messages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raystream.cli.app import main
from raystream.job.outcome import Outcome

JOB = """\
import raystream as rs
from raystream.connectors.memory import Rows
T = 1_700_000_000_000
p = rs.Pipeline("job")
rows = p.read(Rows([{"ts": T, "ip": "a"}, {"ts": T, "ip": "b"}]), event_time="ts", schema={SCHEMA})
LINE
"""
SCHEMA = '{"ts": int, "ip": str}'
GOOD = 'rows.key_by("ip").window(rs.tumbling("1m")).agg(n=rs.count()).write(rs.Collect())'


def job(tmp_path: Path, line: str = GOOD, name: str = "job.py") -> str:
    path = tmp_path / name
    path.write_text(JOB.replace("{SCHEMA}", SCHEMA).replace("LINE", line))
    return str(path)


def exit_code(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


@pytest.fixture(autouse=True)
def _fresh_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("job", "my_job"):
        sys.modules.pop(name, None)


def local_run(target: str, tmp_path: Path, *more: str) -> int | str | None:
    storage = str(tmp_path / "storage")
    return exit_code(
        *("run", target, "--local", "--until", "latest", "--checkpoint-storage", storage, *more)
    )


def test_finished_is_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert local_run(f"{job(tmp_path)}:p", tmp_path) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"job: checkpoints in {tmp_path}/storage/job/; "
        "fast: aggregated in front of the exchange (tumbling-1m-ip-local)",
        "finished, read 2, written 2",
    ]


def test_again_there_is_nothing_left_unless_from_scratch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more, said in (
        ((), "finished, read 2, written 2"),
        ((), "finished, read 0, written 0"),
        (("--from-scratch",), "finished, read 2, written 2"),
    ):
        assert local_run(f"{job(tmp_path)}:p", tmp_path, *more) == 0
        *before, last = capsys.readouterr().err.splitlines()
        assert last == said
        again = "resumed from checkpoint 1, positions rows/0 2"
        assert (again in before) == (said == "finished, read 0, written 0")


def test_a_module_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job(tmp_path, name="my_job.py")
    monkeypatch.chdir(tmp_path)
    assert local_run("my_job:p", tmp_path) == 0


def test_the_only_pipeline_needs_no_name(tmp_path: Path) -> None:
    assert local_run(job(tmp_path), tmp_path) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('rows.key_by("ipp").write(rs.Collect())', "{file}:6: no column 'ipp'; did you mean 'ip'?"),
        ("rows.filter(", "{file}:6: SyntaxError: '(' was never closed"),
        ("rows.windw()", "AttributeError: a stream has no 'windw'; did you mean 'window'?"),
    ],
)
def test_a_mistake_is_2_and_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    target = job(tmp_path, line)
    assert local_run(f"{target}:p", tmp_path) == 2
    said = capsys.readouterr().err
    assert message.format(file=target) in said
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 10


def test_a_name_error_shows_the_users_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = job(tmp_path, "rows.filter(limit)")
    assert local_run(f"{target}:p", tmp_path) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{target}:6 in <module>",
        "    rows.filter(limit)",
        "NameError: name 'limit' is not defined",
    ]


def test_a_function_that_raises_is_1_in_10_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "rows.map(lambda row: row['nope'], schema={'n': int}).write(rs.Collect())"
    assert local_run(f"{job(tmp_path, line)}:p", tmp_path) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) <= 12
    assert any("nope" in line for line in said)
    assert any("job.py" in line for line in said)


def test_a_function_whose_columns_cannot_be_learnt_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = job(tmp_path, "rows.map(lambda row: row['nope']).write(rs.Collect())")
    assert local_run(f"{target}:p", tmp_path) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"{target}:6: step 'map': the types of what its function gives are not")
    assert "KeyError: 'nope'" in said
    assert "schema={" in said


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere.py:p", "there is no file nowhere.py; write FILE.py:name or package.module:name"),
        ("no.such.module:p", "there is no module no.such.module; write FILE.py:name or"),
    ],
)
def test_a_wrong_target_is_2(capsys: pytest.CaptureFixture[str], target: str, message: str) -> None:
    assert exit_code("run", target, "--local") == 2
    assert message in capsys.readouterr().err


def test_a_wrong_name_lists_the_pipelines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = job(tmp_path)
    assert local_run(f"{target}:q", tmp_path) == 2
    assert f"{target} has no pipeline 'q'; pipelines in it: p" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--nonsense", "--parallelism=0", "--until=tomorrow"])
def test_wrong_use_is_2(tmp_path: Path, flag: str) -> None:
    assert exit_code("run", f"{job(tmp_path)}:p", flag) == 2


def test_superseded_is_3_and_failed_is_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, code in (("superseded", 3), ("failed", 1), ("stopped", 0)):
        outcome = Outcome(kind, f"it was {kind}")  # type: ignore[arg-type]
        monkeypatch.setattr("raystream.runtime.local.run_local", lambda *a, o=outcome: o)
        assert local_run(f"{job(tmp_path)}:p", tmp_path) == code
        assert f"it was {kind}" in capsys.readouterr().err


def test_explain_needs_no_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("explain", f"{job(tmp_path)}:p", "--parallelism", "2") == 0
    assert "<- hash(ip) from tumbling-1m-ip-local" in capsys.readouterr().out


def test_the_command_itself_loads_nothing_heavy() -> None:
    code = "import raystream.cli.app, sys; print({'polars', 'ray', 'rich'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
