"""`raystream ui` with several private clusters on one machine: none waits for another."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

from tests.cli.conftest import COMMAND, JOB, started, wait_for_checkpoint
from tests.cli.test_ui import get, page, wait_for
from tests.conftest import unique

WATCHED_S = 12.0


@contextmanager
def private_runs(here: Path, names: list[str]) -> Iterator[list[Popen[str]]]:
    """Jobs of this home directory alone, each on a Ray of its own."""
    env = {**os.environ, "HOME": str(here)}
    env.pop("RAY_ADDRESS", None)
    with ExitStack() as stack:
        found = []
        for name in names:
            (here / f"{name}.py").write_text(JOB.format(name=name, here=here))
            command = [*COMMAND, "run", f"{here}/{name}.py:p", "--address", "local"]
            found.append(stack.enter_context(started([*command, "--parallelism", "1"], env)))
        for name, run in zip(names, found, strict=True):
            wait_for_checkpoint(here / "state" / name, run)
        yield found


def order(address: str, name: str, what: str) -> str:
    request = urllib.request.Request(
        f"{address}api/v1/jobs/{name}/{what}", method="POST", headers={"X-Raystream": "test"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        told: str = json.loads(answer.read())["answer"]
    return told


def test_two_private_clusters_are_both_fresh_and_take_orders(tmp_path: Path) -> None:
    names = [unique("alpha"), unique("beta")]
    one, other = names
    with (
        private_runs(tmp_path, names) as runs,
        page(end=signal.SIGTERM, environment={**os.environ, "HOME": str(tmp_path)}) as address,
    ):
        for name in names:
            wait_for(name, address)
        answers: list[str] = []
        orders = threading.Thread(
            target=lambda: answers.extend(order(address, n, "savepoint") for n in names * 3)
        )
        orders.start()
        states, moments = _watched(address, names)
        orders.join(60)
        assert states == {"running"}
        assert len(answers) == 6
        # It asks once a second; to change from one cluster to the other took 3 s and more.
        assert min(len(each) for each in moments.values()) >= WATCHED_S / 2
        assert order(address, one, "stop").startswith("stopped: read ")
        assert order(address, other, "cancel").startswith("cancelled: ")
        assert [run.wait(60) for run in runs] == [0, 4]


def _watched(address: str, names: list[str]) -> tuple[set[str], dict[str, set[int]]]:
    """States that were shown for some seconds, and the moments that the documents were of."""
    states, moments = set(), {name: set[int]() for name in names}
    deadline = time.monotonic() + WATCHED_S
    while time.monotonic() < deadline:
        for name in names:
            told = get(f"{address}api/v1/jobs/{name}")
            states.add(told["state"])
            moments[name].add(told["status"]["at_ms"])
        time.sleep(0.2)
    return states, moments
