"""Orders in the environment: who is meant, at which visit, and only once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from raystream.context import nowhere
from tests.support.points import environment, happened, points_from_environment

VISITS = """
import sys
from tests.support.points import points_from_environment
point = points_from_environment("count[1]")
for name in sys.argv[1:]:
    point(name)
print("alive")
"""


def visit(orders: str, markers: Path, *names: str) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", VISITS, *names],
        env={**os.environ, **environment(orders, markers)},
        check=False,
        capture_output=True,
    )
    return ran.returncode


def test_the_nth_visit_kills_once(tmp_path: Path) -> None:
    assert visit("aligned@count:2", tmp_path, "aligned", "acked") == 0
    assert visit("aligned@count:2", tmp_path, "aligned", "aligned") == -signal.SIGKILL
    assert happened(tmp_path) == ["aligned@count:2"]
    assert visit("aligned@count:2", tmp_path, "aligned", "aligned") == 0


def test_one_subtask_may_be_meant(tmp_path: Path) -> None:
    assert visit("aligned@count[0]:1", tmp_path, "aligned") == 0
    assert visit("acked@read:1; aligned@count[1]:1", tmp_path, "aligned") == -signal.SIGKILL


def test_nobody_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAYSTREAM_TEST_POINT", raising=False)
    assert points_from_environment("coordinator") is nowhere


def test_an_order_that_can_not_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSTREAM_TEST_POINT", "aligned at count")
    with pytest.raises(ValueError, match="is not <point>@<process>:<visit>"):
        points_from_environment("count[0]")
