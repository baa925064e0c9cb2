"""The page beside a job in the foreground: a socket at once, a server once the job has started.

Only the socket is made before the job starts: a browser that connects earlier waits for its answer,
and the start of the job does not wait for aiohttp.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from raystream.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio

    from raystream.ui.jobs import Jobs

HOST = "127.0.0.1"
_WAITING = 64


class BesidePage:
    """A page on loopback that lives as long as its run.

    Args:
        port: 0: any free one.

    Raises:
        ConfigurationError: it cannot listen there.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
            self._socket.listen(_WAITING)
        except OSError as error:
            self._socket.close()
            what = f"cannot listen on {HOST}:{port}: {error.strerror or error}"
            raise ConfigurationError(what, what_to_do="port 0 takes any free one") from error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self._socket.getsockname()[1]}/"

    def begin(self, jobs: Jobs) -> None:
        """Start to answer, in a thread.

        Args:
            jobs: What it shows.
        """
        self._thread = threading.Thread(
            target=self._run, args=(jobs,), name="raystream-ui", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Close it; waits a moment for answers that are on their way."""
        if self._thread is not None:
            self._ready.wait(2.0)
            if self._loop is not None and self._end is not None:
                self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(2.0)
        self._socket.close()

    def _run(self, jobs: Jobs) -> None:
        import asyncio

        try:
            asyncio.run(self._serve(jobs))
        finally:
            self._loop = None
            self._ready.set()

    async def _serve(self, jobs: Jobs) -> None:
        import asyncio

        from aiohttp import web

        from raystream.ui.server import Page

        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(Page(jobs).app(), shutdown_timeout=0.5, access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket).start()
            self._ready.set()
            await self._end.wait()
        finally:
            await runner.cleanup()
