"""The live view: fits a small terminal, garbles nothing, gives the cursor back."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from raystream.api.jobs.live_view import LINE_EVERY_S, LiveView, Memory, PlainLines
from raystream.observe.rates import rates
from raystream.observe.status import RestartStatus, StatusDocument
from tests.observe.example import document

HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


def terminal(width: int = 80, height: int = 24, **options: object) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=height,
        legacy_windows=False,
        _environ={"TERM": "xterm-256color"},
        **options,  # type: ignore[arg-type]
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


_PIECE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r|\n|[^\x1b\r\n]+")


def screen(text: str) -> list[str]:
    """All lines of a terminal without an upper edge after it was sent this."""
    lines, row, column = [""], 0, 0
    for piece in _PIECE.findall(text):
        if piece == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif piece == "\r":
            column = 0
        elif piece == "\x1b[1A":
            row -= 1
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif not piece.startswith("\x1b"):
            lines[row] = (
                lines[row][:column].ljust(column) + piece + lines[row][column + len(piece) :]
            )
            column += len(piece)
        column = 0 if piece == "\n" else column
    return lines


def test_one_frame_fits_80_by_24_and_is_cut_at_the_edge_not_wrapped() -> None:
    console = terminal()
    cause = RestartStatus(3, "count[1] failed at step enrich: " + "x" * 300, 4.0)
    view = LiveView(console)
    view.update(document(restarts=(cause,)))
    view.end()
    lines = screen(written(console))
    assert len(lines) <= 23
    assert max(map(len, lines)) == 80
    (restarts,) = [line for line in lines if line.strip().startswith("restarts")]
    assert restarts.endswith("…")


@pytest.mark.parametrize(("width", "height"), [(20, 4), (40, 8), (200, 50)])
def test_any_size_of_terminal_will_do(width: int, height: int) -> None:
    console = terminal(width, height)
    view = LiveView(console)
    for second in range(3):
        view.update(document(1000 * second, float(second + 1)))
    view.end()
    lines = screen(written(console))
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_the_cursor_is_hidden_while_it_runs_and_comes_back_once() -> None:
    console = terminal()
    view = LiveView(console)
    view.update(document())
    assert (written(console).count(HIDDEN), written(console).count(SHOWN)) == (1, 0)
    view.end()
    view.end()
    assert written(console).count(SHOWN) == 1


def test_rates_are_means_over_the_last_seconds() -> None:
    console = terminal()
    view = LiveView(console)
    for half in range(40):
        view.update(document(1000 * half, half / 2 + 0.1))
    view.end()
    last = written(console).rpartition("● ")[2]
    assert "2.0 k/s" in last


def test_rates_bear_documents_that_come_at_odd_times() -> None:
    memory = Memory()
    times = [half / 2 + 0.05 for half in range(20)] + [half / 2 + 0.02 for half in range(20, 28)]
    for time_s in times:  # counts come once a second, documents twice, and one at a checkpoint
        now = document(1000 * int(time_s + 0.5), time_s)
        rate = rates(now, memory.before(now)).rows_in
        if time_s > 10:
            assert rate == pytest.approx(1000, rel=0.02)


def test_colours_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for console, coloured in ((terminal(), True), (terminal(no_color=True), False)):
        view = LiveView(console)
        view.update(document())
        view.end()
        assert bool(re.search(r"\x1b\[3[0-9]m", written(console))) is coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert Console(force_terminal=True).no_color


def test_what_a_cause_quotes_can_not_steer_the_terminal() -> None:
    console = terminal()
    evil = RestartStatus(3, "bad row: \x1b]0;owned\x07\x1b[2J\n\rgone", 4.0)
    view = LiveView(console)
    view.update(document(restarts=(evil,)))
    view.end()
    assert "\x1b]0" not in written(console)
    assert "\x1b[2J" not in written(console)
    assert "bad row:  ]0;owned" in written(console)


def test_without_a_terminal_there_is_a_line_now_and_then_and_at_each_restart() -> None:
    out = io.StringIO()
    lines = PlainLines(out)
    for second in range(int(LINE_EVERY_S * 2.5)):
        restarts = 1 if second >= 15 else 0
        lines.update(StatusDocument("sale", "running", float(second), restart_count=restarts))
    lines.end()
    told = out.getvalue().splitlines()
    assert [line.split("  ")[2] for line in told] == ["10 s", "15 s"]
    assert "restarts 1" in told[1]
    assert "\x1b" not in out.getvalue()


def test_a_console_that_is_no_terminal_gets_the_lines() -> None:
    console = Console(file=io.StringIO(), width=80)
    view = LiveView(console)
    for second in range(12):
        view.update(StatusDocument("sale", "running", float(second)))
    view.end()
    assert written(console).splitlines() == [
        "sale  running  10 s  read 0 (0/s)  written 0  checkpoint -"
    ]


JOB = """
import sys, raystream as rs

def loud(row):
    if row["value"] % 100 == 0:
        print("a row with", row["value"])
    return row

p = rs.Pipeline("watched", checkpoint_interval="200ms", checkpoint_storage=sys.argv[1])
p.read(rs.Datagen(rate=500), event_time="ts").map(loud).write(rs.Collect())
print("ended:", p.run(local=True).kind)
"""


def run_in_terminal(script: Path, storage: Path) -> tuple[int, str]:
    """Exit code, and all that the terminal got; Ctrl-C when the view has shown a checkpoint."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, str(script), str(storage)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
    )
    os.close(slave)
    received = bytearray()

    def read() -> None:
        while True:
            try:
                data = os.read(master, 65_536)
            except OSError:  # nobody has the other end any more
                return
            if not data:
                return
            received.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    deadline = time.monotonic() + 60
    while not (b" took " in received and b"a row with" in received):
        assert process.poll() is None, received.decode()
        assert time.monotonic() < deadline, received.decode()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code = process.wait(60)
    reader.join(10)
    os.close(master)
    return code, received.decode()


def test_a_real_job_on_a_real_terminal(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(JOB)
    code, text = run_in_terminal(script, tmp_path / "storage")
    assert code == 0, text
    assert text.count(HIDDEN) == 1
    assert text.rstrip().endswith("ended: stopped")
    assert text.index(SHOWN) < text.index("ended: stopped")
    assert sum("● watched" in line for line in screen(text)) == 1
    prints = [line for line in screen(text) if "a row with" in line]
    assert prints
    assert all(re.fullmatch(r"a row with \d+00|a row with 0", line) for line in prints), prints
