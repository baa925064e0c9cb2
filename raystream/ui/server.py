"""The page, its JSON under /api/v1/ and Prometheus' /metrics, by aiohttp.

aiohttp comes with ray[default].
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.resources import files
from typing import Any

from aiohttp import web

from raystream.errors import RaystreamError, told
from raystream.observe.prometheus import CONTENT_TYPE, exposition
from raystream.ui.access import cookie, from_elsewhere, named_here, same
from raystream.ui.document import Seen, detail, summary
from raystream.ui.jobs import Jobs
from raystream.ui.plain_json import as_text, dumps
from raystream.ui.watcher import Watcher

ORDERS = ("savepoint", "stop", "drain", "cancel")
OWN_HEADER = "X-Raystream"
"""Orders must carry it: a form on somebody else's page cannot set a header."""

HEARTBEAT_S = 10.0
"""So often a stream says something, that the page can tell silence from a lost connection."""

_STATIC = {
    "page.css": "text/css",
    **{
        f"{name}.js": "text/javascript"
        for name in (
            "dom", "flows", "graph", "job", "list", "orders", "page", "parts", "safe", "words",
        )
    },
}  # fmt: skip
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src data:; style-src 'self' 'unsafe-inline'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_SUBTASK = re.compile(r".+\[\d+\]")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page:
    """Serves what the watcher knows.

    Args:
        jobs: Where rows and orders go.
        token: Asked of every request; None: only requests to this machine's own names.
        clock: Epoch ms.
    """

    def __init__(
        self,
        jobs: Jobs,
        token: str | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._jobs = jobs
        self._token = token
        self._clock = clock
        self._threads = ThreadPoolExecutor(8, "raystream-ui")
        self._watcher: Watcher

    def app(self) -> web.Application:
        """The application; it watches the jobs while it runs."""
        app = web.Application(middlewares=[self._guarded])
        app.cleanup_ctx.append(self._watching)
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/static/{name}", self._file),
                web.get("/metrics", self._metrics),
                web.get("/api/v1/jobs", self._list),
                web.get("/api/v1/jobs/{job}", self._detail),
                web.get("/api/v1/events", self._events),
                web.get("/api/v1/jobs/{job}/events", self._events),
                web.get("/api/v1/jobs/{job}/steps/{step}/rows", self._rows),
                web.post("/api/v1/jobs/{job}/{order}", self._act),
            ]
        )
        return app

    async def _watching(self, app: web.Application) -> AsyncIterator[None]:
        self._watcher = Watcher(self._jobs, self._clock)
        task = asyncio.create_task(self._watcher.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self._threads.shutdown(wait=False, cancel_futures=True)

    # -- access --------------------------------------------------------------------------------

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        response = self._refusal(request) or await _answered(request, handler)
        if not response.prepared:
            response.headers.update(_HEADERS)
            if self._token and same(request.query.get("token"), self._token):
                name, value = cookie(self._token)
                response.set_cookie(name, value, httponly=True, samesite="Strict")
        return response

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Why it is not answered; None: it is."""
        if self._token is None and not named_here(request.headers.get("Host", "")):
            return _error(403, "this page answers only to the names of its own machine, localhost")
        if self._token is not None and not self._has_token(request, self._token):
            return _error(401, "add ?token=.. to the address, as `raystream ui` printed it")
        if request.method != "POST":
            return None
        if OWN_HEADER not in request.headers:
            return _error(403, f"header {OWN_HEADER} is missing")
        return _error(403, "another site asks") if from_elsewhere(request.headers) else None

    def _has_token(self, request: web.Request, token: str) -> bool:
        name, value = cookie(token)
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = same(request.query.get("token"), token) or same(bearer, token)
        return given or same(request.cookies.get(name), value)

    # -- the page ------------------------------------------------------------------------------

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(body=_page("index.html"), content_type="text/html", charset="utf-8")

    async def _file(self, request: web.Request) -> web.Response:
        kind = _STATIC.get(request.match_info["name"])
        if kind is None:
            raise web.HTTPNotFound
        return web.Response(
            body=_page(request.match_info["name"]), content_type=kind, charset="utf-8"
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        now, seen = self._clock(), self._watcher.seen.values()
        heard = [(each.status, (now - each.heard_ms) / 1000) for each in seen if each.heard_ms]
        return web.Response(text=exposition(heard), headers={"Content-Type": CONTENT_TYPE})

    # -- JSON ----------------------------------------------------------------------------------

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response(self._all(), dumps=dumps)

    def _all(self) -> dict[str, Any]:
        now = self._clock()
        jobs = [summary(each, now) for each in self._watcher.seen.values()]
        return {"sent_ms": now, "trouble": self._watcher.trouble, "jobs": jobs}

    def _seen(self, request: web.Request) -> Seen:
        name = request.match_info["job"]
        seen = self._watcher.seen.get(name)
        if seen is None:
            raise web.HTTPNotFound(reason=f"there is no job {name!r} here")
        return seen

    async def _detail(self, request: web.Request) -> web.Response:
        return web.json_response(detail(self._seen(request), self._clock()), dumps=dumps)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: the list of jobs, or one of them, each time it was asked."""
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        with suppress(ConnectionResetError):
            while True:
                await response.write(f"data: {dumps(self._told(request))}\n\n".encode())
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._watcher.news(), HEARTBEAT_S)
        return response

    def _told(self, request: web.Request) -> dict[str, Any]:
        if "job" not in request.match_info:
            return self._all()
        seen = self._watcher.seen.get(request.match_info["job"])
        if seen is None:
            return {"missing": True, "trouble": self._watcher.trouble, "sent_ms": self._clock()}
        try:
            return detail(seen, self._clock())
        except Exception as error:  # noqa: BLE001 - else the stream ends, and nobody knows why
            trouble = f"the page failed: {told(error)}"
            return {"missing": True, "trouble": trouble, "sent_ms": self._clock()}

    async def _rows(self, request: web.Request) -> web.Response:
        """Rows of a step since the marks that the answer before gave."""
        names = request.match_info
        marks = _marks(request.query.get("marks", "{}"))
        shown = as_text if request.query.get("as") == "text" else _unchanged

        def ask() -> dict[str, Any]:
            rows, now = self._jobs.rows(names["job"], names["step"], marks)
            return {"rows": [shown(row) for row in rows], "marks": now}

        return await self._answer(ask)

    async def _act(self, request: web.Request) -> web.Response:
        names = request.match_info
        if names["order"] not in ORDERS:
            raise web.HTTPNotFound(reason=f"there is no order {names['order']!r}")
        return await self._answer(lambda: {"answer": self._jobs.act(names["job"], names["order"])})

    async def _answer(self, call: Callable[[], dict[str, Any]]) -> web.Response:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, call)
        except RaystreamError as error:
            return _error(409, told(error))
        except Exception as error:  # of Ray, say: whoever asked has to know that it failed
            return _error(500, told(error))
        return web.json_response(found, dumps=dumps)


def _marks(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(_SUBTASK.fullmatch(name) for name in found):
        raise web.HTTPBadRequest(reason="marks are not those of an answer")
    return found


def _unchanged(row: dict[str, Any]) -> dict[str, Any]:
    return row


def _page(name: str) -> bytes:
    return files("raystream.ui").joinpath("page", name).read_bytes()


async def _answered(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _error(error.status, error.reason)
    except Exception as error:  # who looks has to know that it is the page that is wrong
        return _error(500, f"the page failed: {told(error)}")


def _error(status: int, what: str) -> web.Response:
    return web.json_response({"error": what}, status=status)
