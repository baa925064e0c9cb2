"""Run the page in the foreground, or beside a job."""

from __future__ import annotations

import asyncio
import signal
import sys

from aiohttp import web

from raystream.errors import ConfigurationError
from raystream.ui.access import is_loopback, new_token
from raystream.ui.jobs import Jobs
from raystream.ui.server import Page


def serve(jobs: Jobs, host: str, port: int, token: str | None) -> None:
    """Serve until SIGINT or SIGTERM; prints the address first.

    Args:
        jobs: What it shows.
        host: Address to listen on.
        port: 0: any free one.
        token: Asked of everybody; None: a new one, if `host` is no loopback address.

    Raises:
        ConfigurationError: it cannot listen there.
    """
    asyncio.run(_serve(jobs, host, port, token))


async def _serve(jobs: Jobs, host: str, port: int, token: str | None) -> None:
    wanted = token or (None if is_loopback(host) else new_token())
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    # A log of requests would hold the token of `/?token=`.
    runner = web.AppRunner(Page(jobs, wanted).app(), shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    try:
        print(await _listen(runner, host, port, wanted), flush=True)
        await end.wait()
    finally:
        await runner.cleanup()
    print("the page is closed; jobs run on", file=sys.stderr)


async def _listen(runner: web.AppRunner, host: str, port: int, token: str | None) -> str:
    """Listen; returns the address to open."""
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        what = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise ConfigurationError(what, what_to_do="--port 0 takes any free one") from error
    bound = runner.addresses[0]
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    return f"http://{shown}:{bound[1]}/" + (f"?token={token}" if token else "")
