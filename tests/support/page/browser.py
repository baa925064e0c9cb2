"""A headless chromium, driven by its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --hide-scrollbars --remote-debugging-port=0"
).split()
ANSWER_S = 90.0


def chromium() -> str | None:
    """Path of a chromium, if one is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One tab.

    Args:
        socket: To the tab.

    Attributes:
        errors: Exceptions and log entries of the page, since the last `open`.
    """

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0
        self.errors: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        self._number += 1
        mine = self._number
        await self._socket.send_json({"id": mine, "method": method, "params": params})
        while True:
            told = await asyncio.wait_for(self._socket.receive_json(), ANSWER_S)
            if told.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
                self.errors.append(str(told["params"])[:400])
            if told.get("id") == mine:
                return dict(told.get("result", {}))

    async def open(self, address: str, *, width: int, dark: bool) -> None:
        """Open a page in a window of this width."""
        tone = "dark" if dark else "light"
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        await self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": tone}],
        )
        await self.call("Page.navigate", url="about:blank")
        self.errors.clear()
        await self.call("Page.navigate", url=address)

    async def run(self, script: str) -> Any:
        """Value of an expression in the page."""
        told = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in told:
            raise AssertionError(told["exceptionDetails"])
        return told["result"].get("value")

    async def until(self, script: str, seconds: float = 30.0) -> None:
        """Wait until an expression is true."""
        for _ in range(int(seconds / 0.1)):
            if await self.run(f"Boolean({script})"):
                return
            await asyncio.sleep(0.1)
        text = f"not within {seconds:.0f} s: {script}"
        raise AssertionError(text)

    async def key(self, key: str) -> None:
        """Press and release a key."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            more = text if kind == "keyDown" else {}
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more
            )

    async def shot(self, path: Path) -> None:
        """Screenshot of the whole page."""
        height = await self.run("document.documentElement.scrollHeight")
        width = await self.run("innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        told = await self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(told["data"]))


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A chromium with one tab, and a profile of its own."""
    path = chromium()
    assert path is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            path,
            *FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            host = await _host(process)
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(await _tab(session, host), max_msg_size=0) as socket,
            ):
                found = Browser(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await found.call(f"{domain}.enable")
                yield found
        finally:
            process.kill()
            await process.wait()


async def _host(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    while line := (await asyncio.wait_for(process.stderr.readline(), ANSWER_S)).decode():
        found = re.search(r"ws://([^/]+)", line)
        if found:
            _drain(process.stderr)
            return found[1]
    text = "chromium ended"
    raise AssertionError(text)


_draining: set[asyncio.Task[None]] = set()


def _drain(stream: asyncio.StreamReader) -> None:
    async def read() -> None:
        while await stream.readline():
            pass

    task = asyncio.create_task(read())
    _draining.add(task)
    task.add_done_callback(_draining.discard)


async def _tab(session: aiohttp.ClientSession, host: str) -> str:
    while True:
        async with session.get(f"http://{host}/json") as answer:
            tabs = [each for each in await answer.json() if each["type"] == "page"]
        if tabs:
            return str(tabs[0]["webSocketDebuggerUrl"])
        await asyncio.sleep(0.1)
