"""docs/tutorial.md: its programs run in order, on a real broker too, and give what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from raystream.config.load import load
from raystream.testing import feed
from raystream.verify.read import read_json_topic
from tests.support import generator
from tests.support.broker import Broker
from tests.support.topics import refill

PAGE = (Path(__file__).parents[2] / "docs/tutorial.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_programs_run_and_its_yaml_means_the_same(tmp_path: Path) -> None:
    names: dict[str, object] = {"__name__": "tutorial"}
    for block in blocks("python"):
        exec(block, names)  # noqa: S102
    (text,) = blocks("yaml")
    (tmp_path / "alerts.yaml").write_text(text)
    pipeline = load(str(tmp_path / "alerts.yaml")).pipeline
    assert feed(pipeline, {"requests": names["rows"]})["alerts"] == names["alerts"]


def test_the_job_alerts_on_a_real_topic(
    kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = generator.requests(20_000)
    refill(kafka.bootstrap, "requests", rows)
    refill(kafka.bootstrap, "alerts")
    (tmp_path / "alerts.py").write_text(blocks("python")[0])
    monkeypatch.setenv("RAYSTREAM_BOOTSTRAP_SERVERS", kafka.bootstrap)
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", str(tmp_path / "checkpoints"))
    command = [sys.executable, "-c", "from raystream.cli.app import main; main()", "run"]
    command += [f"{tmp_path}/alerts.py:p", "--until", "latest", "--local"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    failed = Counter(
        (row["ip"], row["ts"] // 60_000 * 60_000) for row in rows.to_dicts() if row["status"] >= 400
    )
    expected = {key: n for key, n in failed.items() if n >= 3}
    alerts = read_json_topic(kafka.bootstrap, "alerts")
    assert len(alerts) == len(expected) > 10
    assert {(a["ip"], a["window_start"]): a["failures"] for a in alerts} == expected
