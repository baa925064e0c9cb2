"""Screenshots of the page in every state, and checks of each; see scripts/page."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from raystream.ui.server import Page
from tests.support.page.browser import Browser, browser, chromium
from tests.support.page.jobs import STATES, MadeUpJobs

WIDTHS = (1280, 400)
SETTLE_S = 1.5
SILENT, BUSY = "silent", "sale-totals"
"""A job that falls silent after all others were shown."""

STILL = 0.001
"""Layout shifts up to this are none: 0.1 is what the Web Vitals call good."""

_JS = Path(__file__).parent / "js"
_SHIFTS = (_JS / "shifts.js").read_text()
_FAINT = (_JS / "faint.js").read_text()


@asynccontextmanager
async def served(jobs: MadeUpJobs) -> AsyncIterator[str]:
    """The page of these jobs; its address."""
    runner = web.AppRunner(Page(jobs).app(), shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def check(tab: Browser) -> list[str]:
    """What is wrong with what is shown."""
    wrong = [f"error: {each}" for each in tab.errors]
    wide = await tab.run("document.documentElement.scrollWidth - innerWidth")
    if wide > 0:
        wrong.append(f"{wide} pixels wider than the window")
    faint = await tab.run(f"JSON.stringify(({_FAINT}\n)())")
    wrong += [f"too little contrast: {each}" for each in json.loads(faint)]
    nameless = await tab.run(
        "[...document.querySelectorAll('button,select,a')].filter("
        "e => !(e.textContent.trim() || e.ariaLabel)).length"
    )
    if nameless:
        wrong.append(f"{nameless} controls without a name")
    return wrong


async def jumps(tab: Browser, seconds: float = 3.0) -> list[str]:
    """Parts that move by themselves while the page updates, as the browser counts layout shifts."""
    told = json.loads(await tab.run(f"({_SHIFTS}\n)({round(seconds * 1000)})"))
    return [f"parts moved by {told['sum']:.4f}: {told['what']}"] if told["sum"] > STILL else []


async def shots(place: Path) -> list[str]:
    """Make them; returns what is wrong."""
    wrong: list[str] = []
    made_up = MadeUpJobs()
    async with served(made_up) as address, browser() as tab:
        for name in ("", *STATES, SILENT):
            if name == SILENT:
                made_up.silent.add(BUSY)
            for width in WIDTHS:
                for dark in (False, True):
                    title = f"{name or 'list'}-{width}-{'dark' if dark else 'light'}"
                    path = f"#/job/{BUSY if name == SILENT else name}" if name else "#/"
                    await tab.open(address + path, width=width, dark=dark)
                    await tab.until(
                        "document.querySelector('main.stale section')"
                        if name == SILENT
                        else "document.querySelector('section')"
                    )
                    await asyncio.sleep(SETTLE_S)
                    found = await check(tab)
                    if width == WIDTHS[0] and not dark:
                        found += await jumps(tab)
                    await tab.shot(place / f"{title}.png")
                    print(title, *found, sep="\n  ", flush=True)
                    wrong += found
    return wrong


def main() -> int:
    """Make them all."""
    if chromium() is None:
        print("chromium is not installed: apt-get install chromium", file=sys.stderr)
        return 2
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "page-shots")
    place.mkdir(parents=True, exist_ok=True)
    wrong = asyncio.run(shots(place))
    print(f"{len(list(place.glob('*.png')))} screenshots in {place}; {len(wrong)} faults")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
