"""Our alerts in a real Prometheus that scrapes a real job; see scripts/alerting."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.processes import subtasks

ROOT = Path(__file__).parents[2]
RULES = ROOT / "configs" / "prometheus" / "alerts.yaml"
SCRAPE = ROOT / "configs" / "prometheus" / "scrape.yaml"
PATIENCE_S = 120.0

JOB = """
import raystream as rs

p = rs.Pipeline("alerting", checkpoint_interval="1s", parallelism=1)
rows = p.read(rs.Datagen(rate=1000, schema={"ts": "int", "n": "int"}), name="read")
rows.key_by("n").aggregate(rows=rs.count()).write(
    rs.Files("OUT"), changes="log", name="write")
"""


def rules(text: str) -> str:
    r"""The alerts with short times: a second for a minute.

    >>> rules("expr: increase(x[5m]) > 0\nfor: 1m")
    'expr: increase(x[20s]) > 0\nfor: 1s'
    """
    text = re.sub(r"\[10m:1m\]", "[40s:4s]", text)
    text = re.sub(r"\[5m\]", "[20s]", text)
    return re.sub(r"for: (\d+)m", r"for: \1s", text)


def scrape(text: str, target: str, rule_file: Path) -> str:
    """Our scrape configuration, every second, of this page."""
    text = text.replace("127.0.0.1:8266", target).replace("alerts.yaml", str(rule_file))
    return re.sub(r"(scrape|evaluation)_interval: \w+", r"\1_interval: 1s", text)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(address: str) -> Any:
    """JSON of an address; None while it does not answer."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def until(what: str, look: Callable[[], Any]) -> Any:
    """Wait for it, and tell when it came."""
    began = time.monotonic()
    while time.monotonic() < began + PATIENCE_S:
        found = look()
        if found:
            say(f"{what} (after {time.monotonic() - began:.1f} s)")
            return found
        time.sleep(0.2)
    text = f"not within {PATIENCE_S:.0f} s: {what}"
    raise SystemExit(text)


def say(text: str) -> None:
    """A line with the time since the start."""
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", flush=True)


_BEGAN = time.monotonic()


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the background, ended as Ctrl-C does."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, **environment}, cwd=log.parent
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def page_of(log: Path) -> str | None:
    """Address of the page that a run printed."""
    found = re.search(r"page at (http://\S+/)", log.read_text(errors="replace"))
    return found[1] if found else None


def firing(prometheus: str) -> dict[str, str]:
    """Names and summaries of the alerts that fire."""
    told = get(f"{prometheus}/api/v1/alerts") or {"data": {"alerts": []}}
    return {
        each["labels"]["alertname"]: each["annotations"]["summary"]
        for each in told["data"]["alerts"]
        if each["state"] == "firing"
    }


def value(prometheus: str, query: str) -> float | None:
    """The newest value of a series."""
    told = get(f"{prometheus}/api/v1/query?query={query}")
    found = told["data"]["result"] if told else []
    return float(found[0]["value"][1]) if found else None


def check(config: Path, rule_file: Path) -> None:
    """Let promtool check what Prometheus gets, and the rules' own tests."""
    tests = RULES.with_name("alerts_test.yaml")
    for command in (["config", str(config)], ["rules", str(rule_file)]):
        _promtool("check", *command)
    _promtool("test", "rules", str(tests))


def _promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    say(f"promtool {' '.join(arguments[:2])}: good")


def try_it(place: Path) -> None:
    """Job, page, Prometheus, kill, alert, recovery."""
    (place / "job.py").write_text(JOB.replace("OUT", str(place / "out")))
    log = place / "run.log"
    command = [str(ROOT / ".venv/bin/raystream"), "run", "job.py:p", "--ui"]
    storage = str(place / "checkpoints")
    with running([*command, "--checkpoint-storage", storage], log) as run:
        page = until("the run prints its page", lambda: page_of(log))
        until("the first checkpoint is committed", lambda: _checkpoints(page) >= 1)
        rule_file, config = place / "rules.yaml", place / "prometheus.yaml"
        rule_file.write_text(rules(RULES.read_text()))
        target = page.removeprefix("http://").rstrip("/")
        config.write_text(scrape(SCRAPE.read_text(), target, rule_file))
        check(config, rule_file)
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        options = [
            f"--config.file={config}",
            f"--storage.tsdb.path={place / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with running(["prometheus", *options], place / "prometheus.log"):
            _watch(run.pid, page, address)
    say(f"the run has ended with exit code {run.returncode}")


def _watch(run: int, page: str, prometheus: str) -> None:
    restarts = "raystream_restarts_total"
    until("Prometheus has scraped the job", lambda: value(prometheus, "raystream_job_up") == 1.0)
    time.sleep(10)
    say(f"alerts that fire: {firing(prometheus) or 'none'}; restarts {value(prometheus, restarts)}")
    if "RaystreamRestarts" in firing(prometheus):
        raise SystemExit("the alert fires before anything was killed")
    victim = subtasks(run)[0]  # the busiest; the last may be spare
    say(f"kill -9 {victim.pid} ({victim.title})")
    os.kill(victim.pid, signal.SIGKILL)
    fires = until("RaystreamRestarts fires", lambda: firing(prometheus).get("RaystreamRestarts"))
    say(f"its summary: {fires}; restarts {value(prometheus, restarts)}")
    done = _checkpoints(page)
    until("the job commits again", lambda: _checkpoints(page) > done)
    until("the alert is over", lambda: "RaystreamRestarts" not in firing(prometheus))


def _checkpoints(page: str) -> int:
    told = get(f"{page}api/v1/jobs/alerting")
    return int(told["status"]["checkpoint"]["number"]) if told else 0


def main() -> int:
    """Try it, with all logs in a directory that goes away if it went well."""
    for needed in ("prometheus", "promtool"):
        if shutil.which(needed) is None:
            print(f"{needed} is not installed: apt-get install prometheus", file=sys.stderr)
            return 2
    place = Path(tempfile.mkdtemp(prefix="raystream-alerting-"))
    try:
        try_it(place)
    except BaseException:
        print(f"logs are in {place}", file=sys.stderr)
        raise
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
