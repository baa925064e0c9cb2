"""The server: who may ask, what it answers, what it says while the jobs are away."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

import raystream.ui
from raystream.errors import ConfigurationError
from raystream.observe.history import Point
from raystream.observe.status import StatusDocument
from raystream.ui.access import cookie
from raystream.ui.server import ORDERS, OWN_HEADER, Page
from tests.ui.documents import AT_MS, running

PAGE = Path(raystream.ui.__file__).parent / "page"


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

    def history(self, job: str) -> Sequence[Point]:
        what = f"job {job} runs another version of raystream, without history"
        raise ConfigurationError(what)

    def rows(self, job: str, step: str, marks: Any) -> tuple[list[dict[str, Any]], Any]:
        if step == "nothing":
            what = f"job {job} has no step {step!r}"
            raise ConfigurationError(what)
        at = marks.get("read[0]", 0)
        row = {"n": at, "raw": b"x", "id": 2**60 + 1, "share": float("nan")}
        return [row], {"read[0]": at + 1}

    def act(self, job: str, order: str) -> str:
        if job == "broken":
            what = "the actor died"
            raise OSError(what)
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
        every = sorted(each.name for each in PAGE.iterdir())
        assert "page.js" in every
        for name in every:
            assert (await client.get(f"/static/{name}")).status == (404 if "index" in name else 200)
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
        row = {"n": 0, "raw": "b'x'", "id": 2**60 + 1, "share": "NaN"}
        assert first == {"rows": [row], "marks": {"read[0]": 1}}
        again = await client.get(path, params={"marks": json.dumps(first["marks"])})
        assert (await again.json())["rows"][0]["n"] == 1
        wrong = await client.get("/api/v1/jobs/requests/steps/nothing/rows")
        assert wrong.status == 409
        assert (await wrong.json())["error"] == "job requests has no step 'nothing'"
        text = await (await client.get(path, params={"as": "text"})).json()
        assert text["rows"] == [
            {"n": "0", "raw": "b'x'", "id": "1152921504606846977", "share": "NaN"}
        ]
        for marks in ("", "[1]", '{"read": 1}', "nonsense"):
            bad = await client.get(path, params={"marks": marks})
            assert bad.status == 400
            assert (await bad.json())["error"] == "marks are not those of an answer"

    _with(_page(_Jobs(running())), use)


def test_a_page_of_another_site_cannot_give_orders() -> None:
    jobs = _Jobs(running())

    async def use(client: TestClient[Any, Any]) -> None:
        path = "/api/v1/jobs/requests/cancel"
        for told in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://[::"},
        ):
            refused = await client.post(path, headers={OWN_HEADER: "x", **told})
            assert refused.status == 403, told
            assert "Access-Control-Allow-Origin" not in refused.headers
        asked = await client.options(path, headers={"Origin": "https://evil.example"})
        assert asked.status == 405
        assert not jobs.orders
        own = {OWN_HEADER: "x", "Origin": f"http://127.0.0.1:{client.port}"}
        assert (await client.post(path, headers=own)).status == 200

    _with(_page(jobs), use)


def test_what_goes_wrong_is_told_as_json_with_the_headers_of_every_answer() -> None:
    async def use(client: TestClient[Any, Any]) -> None:
        own = {OWN_HEADER: "test"}
        for answer, status, what in (
            (client.get("/api/v1/jobs/other"), 404, "there is no job 'other' here"),
            (client.get("/nothing"), 404, "Not Found"),
            (client.get("/", headers={"Host": "evil.example"}), 403, "names of its own machine"),
            (client.post("/api/v1/jobs/broken/stop", headers=own), 500, "OSError: the actor died"),
            (client.post("/api/v1/jobs/requests/erase", headers=own), 404, "no order 'erase'"),
        ):
            told = await answer
            assert told.status == status
            assert what in (await told.json())["error"]
            assert told.headers["Referrer-Policy"] == "no-referrer"
            assert told.headers["Cache-Control"] == "no-store"

    _with(_page(_Jobs(running())), use)


def test_the_cookie_does_not_hold_the_token_and_pages_of_one_host_do_not_share_it() -> None:
    async def use(client: TestClient[Any, Any]) -> None:
        given = await client.get("/?token=secret")
        (own,) = given.cookies.values()
        assert "secret" not in str(own)
        assert own["httponly"]
        assert own["samesite"] == "Strict"
        other = cookie("other")[0]
        kept = {"Cookie": f"{own.key}={own.value}; {other}=anything"}
        assert (await client.get("/metrics", headers=kept)).status == 200
        for wrong in (f"{own.key}=secret", f"{own.key}=", f"{other}={own.value}"):
            client.session.cookie_jar.clear()
            assert (await client.get("/metrics", headers={"Cookie": wrong})).status == 401
        raw = {"Authorization": "Bearer \xe4\udcff"}
        client.session.cookie_jar.clear()
        assert (await client.get("/metrics", headers=raw)).status == 401

    _with(_page(_Jobs(running()), "secret"), use)


def test_a_document_that_cannot_be_shown_is_told_and_the_stream_goes_on() -> None:
    broken = replace(running(), steps=(object(),))  # type: ignore[arg-type]

    async def use(client: TestClient[Any, Any]) -> None:
        stream = await client.get("/api/v1/jobs/requests/events")
        line = await stream.content.readline()
        told = json.loads(line.removeprefix(b"data: "))
        assert told["trouble"].startswith("the page failed: AttributeError")
        stream.close()
        answer = await client.get("/api/v1/jobs/requests")
        assert answer.status == 500
        assert (await answer.json())["error"].startswith("the page failed: AttributeError")

    async def run() -> None:
        page = _page(_Jobs(broken))
        async with TestClient(TestServer(page.app(), host="127.0.0.1")) as client:
            while not page._watcher.seen:
                await asyncio.sleep(0.01)
            await use(client)

    asyncio.run(run())


def test_numbers_that_json_does_not_know_do_not_break_the_page() -> None:
    job = running()
    odd = replace(job, uptime_s=float("nan"), oldest_transaction_s=float("inf"))

    async def use(client: TestClient[Any, Any]) -> None:
        text = await (await client.get("/api/v1/jobs/requests")).text()
        told = json.loads(text, parse_constant=pytest.fail)
        assert told["status"]["uptime_s"] == "NaN"

    _with(_page(_Jobs(odd)), use)


def test_the_paths_of_the_docs_are_those_that_it_serves() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "page.md").read_text()
    docs = docs.replace("NAME", "JOB")
    said = set(re.findall(r"`GET (/[^`?]*)", docs)) - {"/metrics"}
    served = {
        re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), route.resource.canonical)
        for route in _page(_Jobs()).app().router.routes()
        if route.resource is not None and route.method == "GET"
    }
    assert said == {path for path in served if path.startswith("/api/")}
    assert all(f"`{order}`" in docs or f"/{order}`" in docs for order in ORDERS)


def test_a_cluster_that_is_not_there_is_said() -> None:
    async def use(client: TestClient[Any, Any]) -> None:
        told = await (await client.get("/api/v1/jobs")).json()
        assert (told["jobs"], told["trouble"]) == ([], "there is no Ray cluster here")
        assert await (await client.get("/metrics")).text() == ""

    _with(_page(_Jobs()), use)
