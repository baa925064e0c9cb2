"""The buttons of the page, pressed in a real browser, on a job of a real Ray cluster."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, JOB, started, wait_for_checkpoint
from tests.cli.test_ui import page, wait_for
from tests.conftest import unique
from tests.support.page.browser import Browser, browser, chromium
from tests.support.page.shots import check

pytestmark = pytest.mark.skipif(chromium() is None, reason="no chromium here: see scripts/page")

BUTTONS = "[...document.querySelectorAll('.actions button')]"
STATE = "document.querySelector('.state')?.textContent"
SAID = "document.querySelector('.actions span')?.textContent"


@contextmanager
def a_run(here: Path, name: str, head: str) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, "run", f"{here}/job.py:p", "--address", head, "--parallelism", "1"]
    with started(command) as run:
        wait_for_checkpoint(here / "state" / name, run)
        yield run


async def press(tab: Browser, label: str, answer: str) -> str:
    """Press it, say yes, and wait for the answer that begins so; what stands beside the buttons."""
    await tab.until(f"{STATE} === 'running' && {BUTTONS}.every(e => !e.disabled)")
    await tab.run(f"{BUTTONS}.find(e => e.textContent === {label!r}).click()")
    await tab.until("document.getElementById('confirm').open")
    before = json.dumps(await tab.run(SAID))
    await tab.run("document.querySelector('#confirm [value=yes]').click()")
    await tab.until(f"{SAID} !== {before} && !{SAID}.includes('asked, waiting')", 60)
    said = str(await tab.run(SAID))
    assert said.startswith(answer)
    assert await check(tab) == []
    return said


async def ended(tab: Browser, state: str) -> None:
    """The page says that it has ended, and why its buttons are of no use now."""
    await tab.until(f"{STATE} === {state!r}")
    await tab.until(f"{BUTTONS}.every(e => e.disabled)")
    assert await tab.run("document.getElementById('no-orders').textContent") == (
        "The run has ended: there is nothing to stop."
    )


def test_each_order_is_done_and_the_page_says_so(ray_head: str, tmp_path: Path) -> None:
    name = unique("orders")
    (tmp_path / "job.py").write_text(JOB.format(name=name, here=tmp_path))

    async def use(address: str) -> None:
        async with browser() as tab:
            for width, label, answer, state, code in (
                (1280, "Stop and close windows", "stopped: read ", "stopped", 0),
                (400, "Stop", "stopped: read ", "stopped", 0),
                (1280, "Cancel", "cancelled: ", "cancelled", 4),
            ):
                with a_run(tmp_path, name, ray_head) as run:
                    wait_for(name, address)
                    await tab.open(f"{address}#/job/{name}", width=width, dark=False)
                    said = await press(tab, "Savepoint", "savepoint: ")
                    assert (Path(said.partition(": ")[2]) / "savepoint.json").parent.is_dir()
                    await press(tab, label, answer)
                    await ended(tab, state)
                    assert await asyncio.to_thread(run.wait, 60) == code

    with page("--address", ray_head) as address:
        asyncio.run(use(address))
    # of the window of an hour that the drain has closed
    assert any(each.read_text() for each in (tmp_path / "out").glob("*.jsonl"))
