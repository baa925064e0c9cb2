"""The page in a real browser: keyboard, orders, and what it says when nobody answers.

`scripts/page` makes screenshots of every state. Where no chromium is installed, as on machines of
CI, this is said as a skipped test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from raystream.ui.server import Page
from tests.support.page.browser import Browser, browser, chromium
from tests.support.page.jobs import MadeUpJobs
from tests.support.page.shots import check, jumps, served

pytestmark = pytest.mark.skipif(chromium() is None, reason="no chromium here: see scripts/page")

JOB = "#/job/sale-totals"


def with_page(use: Callable[[Browser, str, MadeUpJobs], Awaitable[None]]) -> None:
    async def run() -> None:
        jobs = MadeUpJobs()
        async with served(jobs) as address, browser() as tab:
            await use(tab, address, jobs)

    asyncio.run(run())


def text(what: str) -> str:
    return f"document.body?.textContent.includes({what!r})"


def test_orders_by_keyboard_need_a_yes_and_nothing_jumps_or_is_cut_off() -> None:
    async def use(tab: Browser, address: str, jobs: MadeUpJobs) -> None:
        for width in (1280, 400):
            await tab.open(address + JOB, width=width, dark=False)
            await tab.until(text("is the slowest"))
            await asyncio.sleep(1.0)
            assert await check(tab) == []
        assert await jumps(tab, 2.5) == []
        await tab.run("document.querySelector('.actions button').focus()")
        await tab.key("Enter")
        await tab.until("document.getElementById('confirm').open")
        await tab.key("Escape")
        await tab.until("!document.getElementById('confirm').open")
        assert jobs.orders == []
        await tab.run("document.querySelector('.actions button').focus()")
        await tab.key("Enter")
        await tab.until("document.getElementById('confirm').open")
        await tab.key("Tab")
        assert await tab.run("document.activeElement.value") == "yes"
        await tab.key("Enter")
        await tab.until(text("savepoints/7-c0ffee"))
        assert jobs.orders == [("sale-totals", "savepoint")]

    with_page(use)


def test_what_somebody_has_opened_chosen_and_focused_stays_while_the_page_updates() -> None:
    async def use(tab: Browser, address: str, _: MadeUpJobs) -> None:
        await tab.open(address, width=1280, dark=False)
        await tab.until(text("sale-totals"))
        await tab.run("document.querySelectorAll('td a')[2].focus()")
        await changed(tab)
        assert await tab.run("document.activeElement.textContent") == "old-report"
        await tab.open(address + "#/job/marketing", width=1280, dark=False)
        await tab.until(text("3 restarts"))
        await tab.run("document.querySelector('#safe summary').click()")
        await tab.run("getSelection().selectAllChildren(document.querySelector('#safe p > code'))")
        await changed(tab)
        assert await tab.run("document.querySelector('#safe details').open")
        assert "s3://bucket" in await tab.run("getSelection().toString()")

    with_page(use)


async def changed(tab: Browser) -> None:
    """Wait until the page has shown something new twice."""
    clock = "document.getElementById('clock').textContent"
    for _ in range(2):
        before = await tab.run(clock)
        await tab.until(f"{clock} !== {before!r}")


def test_jumps_are_counted() -> None:
    async def use(tab: Browser, address: str, _: MadeUpJobs) -> None:
        await tab.open(address, width=1280, dark=False)
        await tab.until(text("sale-totals"))
        grow = "setTimeout(() => document.getElementById('main').style.paddingTop = '300px', 500)"
        await tab.run(grow)
        assert await jumps(tab, 2.0) != []

    with_page(use)


def test_an_order_that_fails_says_so_and_the_token_leaves_the_address() -> None:
    async def use(tab: Browser, address: str, jobs: MadeUpJobs) -> None:
        jobs.refuses = "storage s3://bucket is full"
        await tab.open(address + "?token=secret" + JOB, width=400, dark=True)
        await tab.until(text("is the slowest"))
        assert await tab.run("location.href") == address + JOB
        await tab.run("document.querySelectorAll('.actions button')[3].click()")
        await tab.until("document.getElementById('confirm').open")
        assert "without a last commit" in await tab.run(
            "document.getElementById('question').textContent"
        )
        await tab.run("document.querySelector('#confirm [value=yes]').click()")
        await tab.until(text("Cancel failed: storage s3://bucket is full"))
        assert not await tab.run("document.querySelector('.actions button').disabled")
        await tab.run("location.hash = '#/job/marketing'")
        await tab.until(text("3 restarts"))
        assert not await tab.run(text("Cancel failed"))

    with_page(use)


def test_old_numbers_are_said_to_be_old() -> None:
    async def use(tab: Browser, address: str, jobs: MadeUpJobs) -> None:
        await tab.open(address + JOB, width=1280, dark=True)
        await tab.until(text("is the slowest"))
        jobs.silent.add("sale-totals")
        await tab.until(text("No answer for"))
        assert await tab.run("document.querySelector('.actions button').disabled")
        assert await tab.run(text("Orders have to wait: nobody of the job answers"))
        assert await tab.run("document.getElementById('main').classList.contains('stale')")
        jobs.silent.clear()
        await tab.until("!document.getElementById('main').classList.contains('stale')")
        jobs.away = "the Ray cluster at 10.0.0.1:6379 is lost"
        await tab.until(text("cluster at 10.0.0.1:6379 is lost"))

    with_page(use)


def test_a_page_whose_server_is_gone_says_so_and_comes_back() -> None:
    async def use(tab: Browser) -> None:
        jobs = MadeUpJobs()
        async with served(jobs) as address:
            await tab.open(address + JOB, width=1280, dark=False)
            await tab.until(text("is the slowest"))
        await tab.until(text("no connection to raystream ui"))
        await tab.until("document.getElementById('main').classList.contains('cut')")
        assert await tab.run(text("numbers are those of"))
        port = int(address.rstrip("/").rpartition(":")[2])
        runner = web.AppRunner(Page(jobs).app(), shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        try:
            await tab.until("document.getElementById('link').textContent === 'live'")
        finally:
            await runner.cleanup()

    async def run() -> None:
        async with browser() as tab:
            await use(tab)

    asyncio.run(run())
