"""The verbs on pipeline files, as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from raystream.cli.app import main
from raystream.config.templates import SINKS, SOURCES
from tests.config.corpus import CONFIGS, GOLDEN

SMALL = str(CONFIGS / "requests_per_minute.yaml")
WRONG = str(GOLDEN / "shape_six_mistakes.yaml")


def exit_code(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


Capture = pytest.CaptureFixture[str]


def test_validate(capsys: Capture) -> None:
    assert exit_code("validate", SMALL) == 0
    assert capsys.readouterr().out == f"{SMALL}: valid\n"
    assert exit_code("validate", SMALL, WRONG) == 2
    said = capsys.readouterr()
    wanted = (GOLDEN / "shape_six_mistakes.txt").read_text()
    assert said.err.replace(f"{GOLDEN}/", "") == wanted
    assert said.out == f"{SMALL}: valid\n"


def test_validate_for_programs(capsys: Capture) -> None:
    assert exit_code("validate", WRONG, "--json") == 2
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["line"], first["column"], first["path"]) == (2, 21, "delivery_guarantee")
    assert exit_code("validate", SMALL, "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_validate_loads_nothing_heavy() -> None:
    """The small form is checked without Polars; what has SQL or a schema needs it."""
    code = (
        "import sys; from raystream.cli.app import main\n"
        f"try: main(['validate', {SMALL!r}])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'polars', 'ray', 'numpy', 'confluent_kafka', 'kafka', 'obstore'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_lint_gives_advice(capsys: Capture) -> None:
    assert exit_code("lint", SMALL) == 0
    said = capsys.readouterr().out
    assert ":10:5: steps[1]: no name; it has state" in said
    assert ":5:10: source.kafka: no group_id;" in said
    assert exit_code("lint", SMALL, "--strict") == 1
    assert exit_code("lint", WRONG) == 2


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (("10s}", "10s, timeout: 5s}"), "timeout is shorter than interval"),
        (
            ("topic: counts", "topic: counts, transaction_timeout: 15s"),
            "three checkpoint intervals",
        ),
        (("10s}", "8m}"), "the default of 15m is short"),
        (("count()}", "count()}\n    allowed_lateness: 5s"), "late: SINK keeps them"),
        (("  event_time: ts\n", ""), "windows use the record timestamp"),
    ],
)
def test_lint_about_times(
    tmp_path: Path, capsys: Capture, change: tuple[str, str], advice: str
) -> None:
    path = tmp_path / "job.yaml"
    text = Path(SMALL).read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    assert exit_code("lint", str(path)) == 0
    assert advice in capsys.readouterr().out
    assert exit_code("lint", SMALL) == 0
    assert advice not in capsys.readouterr().out


@pytest.mark.parametrize("small", [[], ["--small"]])
@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("source", SOURCES)
def test_what_init_prints_is_valid(
    tmp_path: Path, capsys: Capture, source: str, sink: str, small: list[str]
) -> None:
    assert exit_code("init", f"{source}/{sink}", *small) == 0
    path = tmp_path / "job.yaml"
    path.write_text(capsys.readouterr().out)
    assert exit_code("validate", str(path)) == 0


def test_the_full_template_leaves_nothing_to_say(tmp_path: Path, capsys: Capture) -> None:
    exit_code("init", "kafka/kafka")
    path = tmp_path / "job.yaml"
    path.write_text(capsys.readouterr().out)
    assert exit_code("lint", str(path), "--strict") == 0


def test_init_of_what_there_is_not(capsys: Capture) -> None:
    assert exit_code("init", "kafka") == 2
    assert "'kafka' is not SOURCE/SINK; for example kafka/kafka" in capsys.readouterr().err
    assert exit_code("init", "kafak/kafka") == 2
    assert "there is no 'kafak'; did you mean 'kafka'?" in capsys.readouterr().err


def test_schema(capsys: Capture) -> None:
    assert exit_code("schema") == 0
    assert capsys.readouterr().out == (CONFIGS / "pipeline.schema.json").read_text()


def test_test_and_fix(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        Path(SMALL).read_text()
        + "tests:\n  - name: one\n    given: {source: [{ts: 1, ip: a}]}\n    expect: {sink: []}\n"
    )
    assert exit_code("test", str(path)) == 1
    assert "unexpected {ip: a, window_start: 0" in capsys.readouterr().out
    assert exit_code("test", str(path), "--fix") == 0
    capsys.readouterr()
    assert exit_code("test", str(path), "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "one", "passed": True}]


def test_explain(capsys: Capture) -> None:
    assert exit_code("explain", SMALL) == 0
    assert "<- hash(ip) from tumbling-1m-ip-local" in capsys.readouterr().out
    assert exit_code("explain", SMALL, "--as", "mermaid") == 0
    assert capsys.readouterr().out.startswith("flowchart LR")
    assert exit_code("explain", SMALL, "--as", "python") == 0
    python = capsys.readouterr().out
    assert 'p = rs.Pipeline("requests-per-minute")' in python
    assert '    .window(rs.tumbling("1m"))\n' in python


def test_python_of_python_is_refused(capsys: Capture) -> None:
    target = str(CONFIGS.parent / "pipelines/requests_per_minute.py")
    assert exit_code("explain", target, "--as", "python") == 2
    assert "is Python; write --as text or --as mermaid" in capsys.readouterr().err


JOB = """\
name: job
params: {size: 1m}
source:
  files: {path: ${IN}, format: json}
  event_time: ts
  schema: {ts: int, ip: string}
steps:
  - key_by: ip
  - window: {tumbling: "${param:size}"}
    aggregate: {n: count()}
sink:
  files: {path: ${OUT}}
"""


def test_run_reads_a_file(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    rows = ({"ts": ts, "ip": "a"} for ts in (0, 1000, 61_000))
    (tmp_path / "in/0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "job.yaml").write_text(
        JOB.replace("${IN}", "'${IN}'").replace("${OUT}", "'${OUT}'")
    )
    monkeypatch.setenv("IN", str(tmp_path / "in"))
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    storage = ["--checkpoint-storage", str(tmp_path / "storage")]
    run = ["run", str(tmp_path / "job.yaml"), "--local", "--until", "latest", *storage]
    assert exit_code(*run, "--param", "size=2m") == 0
    assert "finished, read 3, written 1" in capsys.readouterr().err
    (part,) = (tmp_path / "out").glob("part-*")
    assert json.loads(part.read_text()) == {
        "ip": "a",
        "window_start": 0,
        "window_end": 120_000,
        "n": 3,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", SMALL + ":p"], "holds one pipeline, which has no name in it; write "),
        (["explain", "none.yaml"], "none.yaml cannot be read (No such file or directory)"),
        (["explain", SMALL, "--param", "x=1"], "the file has no parameter 'x'; it has none"),
        (["explain", SMALL, "--param", "x"], "--param x is not NAME=VALUE"),
        (["explain", WRONG], "5:67: source.kafka.format: 'jsn' is not one of json, raw, csv"),
        (["explain", "job.py", "--param", "x=1"], "job.py takes no --param"),
        (["test", SMALL], "there are no tests in it"),
    ],
)
def test_wrong_use_is_2(capsys: Capture, arguments: list[str], message: str) -> None:
    assert exit_code(*arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("small", [[], ["--small"]])
def test_a_wrong_variable_is_not_the_fault_of_the_file(
    small: list[str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    exit_code("init", "kafka/kafka", *small)
    (tmp_path / "job.yaml").write_text(capsys.readouterr().out)
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_INTERVAL", "10")
    assert exit_code("explain", str(tmp_path / "job.yaml")) == 2
    said = capsys.readouterr().err
    assert said.startswith("RAYSTREAM_CHECKPOINT_INTERVAL: ")
    assert "job.yaml" not in said
