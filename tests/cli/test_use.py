"""Wrong use is exit code 2 and says how to use it right; colours, JSON and completion."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from raystream import __version__
from raystream.cli.app import SECTIONS, app, main
from raystream.exit_codes import MEANINGS
from tests.cli.conftest import raystream

ROOT = Path(__file__).parents[2]
FILE = str(ROOT / "configs/requests_per_minute.yaml")
READING = ("list", "status", "logs", "validate", "lint", "test", "explain", "version")


def exit_code(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stat"], "No such command 'stat'. Did you mean"),
        (["run"], "Missing argument 'TARGET'"),
        (["status"], "Missing argument 'NAME'"),
        (["stop", "--savepoint"], "Missing argument 'NAME'"),
        (["list", "one"], "unexpected extra argument (one)"),
        (["status", "job", "--watch", "--json"], "--watch and --json cannot be combined"),
        (["logs", "job", "--follow", "--json"], "--follow and --json cannot be combined"),
        (["logs", "job", "-n", "many"], "'many' is not a valid integer"),
        (["stop", "job", "--timeout", "-1"], "-1.0 is not in the range x>=0"),
        (["stop", "job", "--drian"], "No such option '--drian'. Did you mean '--drain'?"),
        (["explain", FILE, "--as", "mermaid", "--json"], "--json and --as mermaid cannot be"),
        (["run", FILE, "--until", "tomorrow"], "'tomorrow' is not 'latest'"),
    ],
)
def test_wrong_use_is_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert exit_code(*arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert len(said.err.splitlines()) <= 4


def test_nothing_said_is_the_help_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code() == 2
    assert "Usage: raystream" in capsys.readouterr().err


def test_help_lists_every_verb_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"{int(code)} {meaning}" in said for code, meaning in MEANINGS.items())
    assert "ompletion" not in said
    verbs = app().commands
    assert sorted(verbs) == sorted(name for names in SECTIONS.values() for name in names)
    assert [name for name, verb in verbs.items() if verb.get_short_help_str(80) not in said] == []


def test_every_reading_verb_has_json() -> None:
    verbs = app().commands
    assert [v for v in READING if "as_json" not in {p.name for p in verbs[v].params}] == []


def test_json_is_one_document_on_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("--version") == 0
    assert capsys.readouterr().out == f"{__version__}\n"
    assert exit_code("version", "--json") == 0
    assert json.loads(capsys.readouterr().out)["raystream"] == __version__
    assert exit_code("explain", FILE, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["name"] == "requests-per-minute"
    chains = {chain["name"] for chain in plan["chains"]}
    assert {e["from"] for e in plan["exchanges"]} | {e["to"] for e in plan["exchanges"]} <= chains
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(Path(FILE).read_text().replace("steps:", "stebs:"))
    for verb in ("validate", "lint"):
        assert exit_code(verb, str(wrong), FILE, "--json") == 2
        problems = json.loads(capsys.readouterr().out)
        assert set(problems[0]) == {"file", "line", "column", "path", "message"}
        assert "stebs" in problems[0]["message"]


COLOURS = """
from raystream.cli.console import state, table
table([("NAME", "STATE"), ("requests", state("running"))])
"""
PLAIN = "NAME      STATE\nrequests  running\n"


def on_terminal(environment: Mapping[str, str]) -> str:
    """What a terminal gets of the table."""
    master, slave = pty.openpty()
    env = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", **environment}
    with subprocess.Popen(
        [sys.executable, "-c", COLOURS], stdout=slave, env=env, cwd=ROOT
    ) as shown:
        shown.wait(180)
    os.close(slave)
    text = os.read(master, 4096).decode().replace("\r\n", "\n")
    os.close(master)
    return text


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colours(environment: dict[str, str]) -> None:
    assert on_terminal(environment) == PLAIN


def test_colours_on_a_terminal_take_no_room() -> None:
    shown = on_terminal({})
    assert "\x1b[32mrunning\x1b[0m" in shown
    assert click.unstyle(shown) == PLAIN


def test_colours_in_a_pipe_only_by_force() -> None:
    def piped(**environment: str) -> str:
        env = {"PATH": os.environ["PATH"], **environment}
        command = [sys.executable, "-c", COLOURS]
        return subprocess.run(
            command, capture_output=True, text=True, env=env, cwd=ROOT, check=True
        ).stdout

    assert piped() == PLAIN
    assert piped(TERM="xterm", FORCE_COLOR="1") != PLAIN
    assert piped(FORCE_COLOR="1", NO_COLOR="1") == PLAIN


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("raystream sav", "plain,savepoint"),
        ("raystream stop --dr", "plain,--drain"),
        ("raystream run x --until l", "plain,latest"),
        ("raystream validate conf", "file,conf"),
    ],
)
def test_completion(words: str, completed: str) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = raystream(environment={"_RAYSTREAM_COMPLETE": "bash_complete", **asked})
    assert completed in done.out.split()


def test_completion_is_shown_and_installed_once(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "SHELL": "/bin/zsh"}
    shown = raystream("--show-completion", environment=home)
    assert shown.code == 0
    assert "#compdef raystream" in shown.out
    (tmp_path / ".zshrc").write_text("alias ll='ls -l'\n")
    for _ in range(2):
        assert raystream("--install-completion", environment=home).code == 0
    installed = tmp_path / ".config/raystream/completion.zsh"
    assert installed.read_text() == shown.out
    assert (tmp_path / ".zshrc").read_text() == f"alias ll='ls -l'\n. \"{installed}\"\n"
    unknown = raystream("--show-completion", environment={"SHELL": "/bin/ksh"})
    assert unknown.code == 2
    assert "name the shell: one of bash, zsh, fish" in unknown.err
