"""The server: who may ask, what it answers, what it says while the jobs are away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from raystream.errors import ConfigurationError
from raystream.observe.status import StatusDocument
from raystream.ui.server import OWN_HEADER, Page
from tests.ui.documents import AT_MS, running


class _Jobs:
    """Jobs in memory."""

    def __init__(self, *found: StatusDocument) -> None:
        self.found: Sequence[StatusDocument] = found
        self.orders: list[tuple[str, str]] = []

    def statuses(self) -> Sequence[StatusDocument]:
        if not self.found:
            what = "there is no Ray cluster here"
            raise ConfigurationError(what)
        return self.found

    def rows(self, job: str, step: str, marks: Any) -> tuple[list[dict[str, Any]], Any]:
        if step == "nothing":
            what = f"job {job} has no step {step!r}"
            raise ConfigurationError(what)
        return [{"n": marks.get("at", 0), "raw": b"x"}], {"at": marks.get("at", 0) + 1}

    def act(self, job: str, order: str) -> str:
        self.orders.append((job, order))
        return "stopped"


def _with(page: Page, use: Callable[[TestClient[Any, Any]], Awaitable[None]]) -> None:
    async def run() -> None:
        async with TestClient(TestServer(page.app(), host="127.0.0.1")) as client:
            while True:
                told = await (await client.get("/api/v1/jobs", headers=_TOKEN)).json()
                if told["jobs"] or told["trouble"]:
                    break
                await asyncio.sleep(0.01)
            await use(client)

    asyncio.run(run())


_TOKEN = {"Authorization": "Bearer secret"}


def _page(jobs: _Jobs, token: str | None = None) -> Page:
    return Page(jobs, token, lambda: AT_MS + 60_000)


def test_it_tells_of_jobs_in_json_events_and_metrics() -> None:
    async def use(client: TestClient[Any, Any]) -> None:
        (job,) = (await (await client.get("/api/v1/jobs")).json())["jobs"]
        assert (job["job"], job["state"]) == ("requests", "running")
        told = await (await client.get("/api/v1/jobs/requests")).json()
        assert told["status"]["checkpoint"]["number"] == 7
        stream = await client.get("/api/v1/jobs/requests/events")
        line = await stream.content.readline()
        assert json.loads(line.removeprefix(b"data: "))["job"] == "requests"
        stream.close()
        text = await (await client.get("/metrics")).text()
        assert 'raystream_restarts_total{job="requests"} 1\n' in text
        assert (await client.get("/api/v1/jobs/other")).status == 404

    _with(_page(_Jobs(running())), use)


def test_the_page_and_its_parts_are_served_and_nothing_else() -> None:
    async def use(client: TestClient[Any, Any]) -> None:
        index = await client.get("/")
        assert "<title>raystream</title>" in await index.text()
        assert "default-src 'self'" in index.headers["Content-Security-Policy"]
        for name in ("page.css", "page.js", "graph.js"):
            assert (await client.get(f"/static/{name}")).status == 200
        for name in ("../server.py", "..%2fserver.py", "index.py"):
            assert (await client.get(f"/static/{name}")).status == 404

    _with(_page(_Jobs(running())), use)


def test_orders_need_the_header_that_no_foreign_page_can_set() -> None:
    jobs = _Jobs(running())

    async def use(client: TestClient[Any, Any]) -> None:
        assert (await client.post("/api/v1/jobs/requests/stop")).status == 403
        assert not jobs.orders
        own = {OWN_HEADER: "test"}
        told = await client.post("/api/v1/jobs/requests/stop", headers=own)
        assert await told.json() == {"answer": "stopped"}
        assert (await client.post("/api/v1/jobs/requests/erase", headers=own)).status == 404
        assert jobs.orders == [("requests", "stop")]

    _with(_page(jobs), use)


def test_without_a_token_only_this_machine_s_own_names_are_served() -> None:
    async def use(client: TestClient[Any, Any]) -> None:
        assert (await client.get("/", headers={"Host": "evil.example"})).status == 403
        assert (await client.get("/", headers={"Host": "localhost:1"})).status == 200

    _with(_page(_Jobs(running())), use)


def test_with_a_token_nothing_is_told_without_it_and_a_cookie_keeps_it() -> None:
    async def use(client: TestClient[Any, Any]) -> None:
        for path in ("/", "/api/v1/jobs", "/metrics", "/?token=wrong", "/static/page.js"):
            assert (await client.get(path)).status == 401
        assert (await client.get("/metrics", headers=_TOKEN)).status == 200
        assert (await client.get("/?token=secret", headers={"Host": "far.example"})).status == 200

    _with(_page(_Jobs(running()), "secret"), use)


def test_rows_of_a_step_come_with_marks_and_mistakes_with_their_reason() -> None:
    async def use(client: TestClient[Any, Any]) -> None:
        path = "/api/v1/jobs/requests/steps/counts/rows"
        first = await (await client.get(path)).json()
        assert first == {"rows": [{"n": 0, "raw": "b'x'"}], "marks": {"at": 1}}
        again = await client.get(path, params={"marks": json.dumps(first["marks"])})
        assert (await again.json())["rows"][0]["n"] == 1
        wrong = await client.get("/api/v1/jobs/requests/steps/nothing/rows")
        assert wrong.status == 409
        assert (await wrong.json())["error"] == "job requests has no step 'nothing'"

    _with(_page(_Jobs(running())), use)


def test_a_cluster_that_is_not_there_is_said() -> None:
    async def use(client: TestClient[Any, Any]) -> None:
        told = await (await client.get("/api/v1/jobs")).json()
        assert (told["jobs"], told["trouble"]) == ([], "there is no Ray cluster here")
        assert await (await client.get("/metrics")).text() == ""

    _with(_page(_Jobs()), use)
