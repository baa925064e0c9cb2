"""Run the page in the foreground, or beside a job."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aiohttp import web

from raystream.errors import ConfigurationError
from raystream.ui.access import is_loopback, new_token
from raystream.ui.jobs import Jobs
from raystream.ui.server import Page

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    # A log of requests would hold the token of `/?token=`.
    runner = web.AppRunner(Page(jobs, wanted).app(), shutdown_timeout=0.5, access_log=None)
    try:
        with _end_by_signal() as end:
            await runner.setup()
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
    return f"http://{_shown(bound[0])}:{bound[1]}/" + (f"?token={token}" if token else "")


def _shown(bound: str) -> str:
    """What others write for an address to listen on.

    >>> _shown("::1"), _shown("10.0.0.7"), _shown("0.0.0.0") == socket.gethostname()
    ('[::1]', '10.0.0.7', True)
    """
    if bound in {"0.0.0.0", "::"}:  # noqa: S104 - where it listens was said by its user
        return socket.gethostname()
    return f"[{bound}]" if ":" in bound else bound


@contextmanager
def _end_by_signal() -> Iterator[asyncio.Event]:
    """An event that SIGINT or SIGTERM sets, even after `ray.init` has set handlers of its own.

    All threads that begin in the block have both blocked, so no handler ever gets them.
    """
    end, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait() -> None:
        signal.sigwait(_SIGNALS)
        with suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(end.set)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    threading.Thread(target=wait, name="raystream-ui-signals", daemon=True).start()
    try:
        yield end
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
