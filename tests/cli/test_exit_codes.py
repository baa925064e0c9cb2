"""One table of exit codes: in the code, on the page, and what the commands do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from raystream.cli.app import main
from raystream.exit_codes import MEANINGS, OF_OUTCOME, ExitCode
from raystream.job.outcome import Outcome, OutcomeKind

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def code(*arguments: str) -> object:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code


def test_the_page_has_the_table() -> None:
    rows = re.findall(r"^\| (\d) \| (.*) \|$", PAGE.read_text(), re.M)
    assert rows == [(str(int(code)), said) for code, said in MEANINGS.items()]
    assert list(MEANINGS) == list(ExitCode)


def test_every_end_of_a_run_has_its_code() -> None:
    assert set(OF_OUTCOME) == set(get_args(OutcomeKind))
    good = {"finished", "stopped", "submitted"}
    for kind in get_args(OutcomeKind):
        assert (Outcome(kind).exit_code == 0) == (kind in good)
    assert Outcome("failed", refused=True).exit_code == ExitCode.REFUSED


JOB = """\
import raystream as rs
from raystream.connectors.memory import Rows
def boom(row):
    {body}
    return row
p = rs.Pipeline("codes", checkpoint_interval="200ms")
rows = p.read(Rows([{{"ts": 60_000 * n, "ip": "a"}} for n in range(3)]), event_time="ts",
              schema={{"ts": int, "ip": str}}).map(boom, schema={{"ts": int, "ip": str}})
rows.key_by("ip").window(rs.tumbling("1m"), name="{name}").agg(n=rs.count()).write(rs.Collect())
"""


def test_runs_end_with_the_codes_of_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def job(name: str = "counts", body: str = "pass") -> list[str]:
        path = tmp_path / f"job{len(list(tmp_path.iterdir()))}.py"
        path.write_text(JOB.format(name=name, body=body))
        return ["run", f"{path}:p", "--local", "--checkpoint-storage", f"{tmp_path}/state"]

    assert code(*job(), "--until", "latest") == ExitCode.DONE
    assert "finished, read 3, written 3" in capsys.readouterr().err
    assert code(*job(), "--from-savepoint", f"{tmp_path}/nowhere") == ExitCode.REFUSED
    assert code(*job(), "--no-such-option") == ExitCode.REFUSED
    assert code("run", f"{tmp_path}/nowhere.py:p", "--local") == ExitCode.REFUSED
    scratch = ["--from-scratch", "--until", "latest"]
    assert code(*job(body='assert row["ts"] < 120_000'), *scratch) == ExitCode.FAILED
    assert "failed, committed: read 0, written 0" in capsys.readouterr().err


def test_an_interrupted_command_is_cancelled(tmp_path: Path) -> None:
    """Ctrl-C before anything began, in a process of its own."""
    (tmp_path / "job.py").write_text("import signal, os\nos.kill(os.getpid(), signal.SIGINT)\n")
    command = [sys.executable, "-c", "from raystream.cli.app import main; main()"]
    done = subprocess.run(
        [*command, "explain", f"{tmp_path}/job.py:p"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (ExitCode.CANCELLED, "interrupted")
