"""Checkpoint storage on a real S3 service, named by the environment as users name it."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest

from raystream.checkpoint.codec import encode
from raystream.checkpoint.keys import attempt_key
from raystream.checkpoint.protocol.recover import claim_attempt
from raystream.checkpoint.records import AttemptRecord, Owner
from raystream.data.segment import Segment
from raystream.errors import StorageError
from raystream.runtime.procedures import run_procedure
from raystream.runtime.system_clock import SystemClock
from raystream.storage.base import Put, Store
from raystream.storage.open import STORE_KEY, job_store, open_store, store_id
from raystream.storage.segments import read_segment, write_segment
from tests.conftest import unique
from tests.support.s3 import S3Server

SECRET = "not-so-secret"


def test_of_many_who_create_at_once_one_wins_each_time(bucket: str) -> None:
    store = open_store(f"{bucket}/race")
    outcomes = Counter(race(store, f"m-{number}", 16) for number in range(60))
    assert outcomes == {(1, 15, True): 60}


def race(store: Store, key: str, clients: int) -> tuple[int, int, bool]:
    """How many created, how many found it, and whether the object is the winner's."""
    answers: list[tuple[Put, bytes]] = []
    ready = threading.Barrier(clients)

    def create(mine: bytes) -> None:
        ready.wait()
        answers.append((store.create(key, mine), mine))

    threads = [threading.Thread(target=create, args=(b"%d" % i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [mine for answer, mine in answers if answer is Put.CREATED]
    found = sum(answer is Put.EXISTS for answer, _ in answers)
    return len(winners), found, [store.get(key)] == winners


def test_a_storage_has_one_id_and_no_leftovers(bucket: str, s3: S3Server) -> None:
    first = store_id(job_store(f"{bucket}/checkpoints", "requests"))
    assert store_id(job_store(f"{bucket}/checkpoints/", "requests")) == first
    assert list(s3.objects(bucket.removeprefix("s3://"))) == ["checkpoints/requests/store.json"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "hush-hush"}, "refuses the credentials (403 Forbidden Sig"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "refuses the credentials (403 Forbidden InvalidAccess"),
        ({"AWS_ALLOW_HTTP": "false"}, "the endpoint is plain http; set AWS_ALLOW_HTTP=true"),
        ({"AWS_CONDITIONAL_PUT": "disabled"}, "use a service with conditional puts"),
    ],
    ids=["secret", "key", "http", "conditional puts"],
)
def test_wrong_settings_are_told_in_one_line_without_secrets(
    bucket: str, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], message: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError) as caught:
        store_id(job_store(bucket, "requests"))
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert not any(secret in text for secret in (SECRET, "hush-hush", "tester", "nobody"))


@pytest.mark.usefixtures("bucket")
def test_a_missing_bucket_is_told() -> None:
    with pytest.raises(StorageError, match="there is no such bucket; create it, or correct"):
        store_id(job_store("s3://nobody-made-this/x", "requests"))


@pytest.fixture(scope="module")
def unsigned() -> Iterator[S3Server]:
    """A service that looks at no signature: these cover the condition."""
    with S3Server(anonymous=True) as server:
        yield server


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "replaces objects that it was asked to create; use a service with conditional"),
        (501, "has none; use a service with conditional puts"),
    ],
    ids=["ignored", "refused"],
)
def test_a_service_without_conditional_puts_is_refused_before_a_job_starts(
    unsigned: S3Server, monkeypatch: pytest.MonkeyPatch, answer: int | None, message: str
) -> None:
    bucket = unsigned.make_bucket(unique("bucket"))
    with unconditional(unsigned.endpoint, answer) as endpoint:
        settings = {"AWS_ENDPOINT_URL": endpoint, "AWS_SKIP_SIGNATURE": "true"}
        for name, value in {**unsigned.environment(), **settings}.items():
            monkeypatch.setenv(name, value)
        store = job_store(bucket, "requests")
        with pytest.raises(StorageError, match=message):
            store_id(store)
    assert STORE_KEY not in str(unsigned.objects(bucket.removeprefix("s3://")))


Answer = Callable[[str, str, Mapping[str, str]], int | None]
"""Method, path, headers -> a status to answer with, or None: let it through."""


def test_a_conflict_is_not_taken_for_a_newer_attempt(
    unsigned: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3: 409 ConditionalRequestConflict says that another request of the key was under way."""
    seen: list[str] = []

    def answer(method: str, path: str, headers: Mapping[str, str]) -> int | None:
        if method == "PUT" and "attempt-" in path and path not in seen:
            seen.append(path)
            return 409
        return None

    with storage_behind(unsigned, monkeypatch, answer) as store:
        record = AttemptRecord(Owner(0, "mine"))
        assert store.create(attempt_key(0), encode(record)) is Put.UNKNOWN
        owner = run_procedure(claim_attempt("mine"), store, {}, SystemClock())
        assert owner == Owner(0, "mine")
        again = run_procedure(claim_attempt("other"), store, {}, SystemClock())
        assert again == Owner(1, "other")
    assert len(seen) == 2


def test_a_large_segment_travels_in_parts_within_the_limit_of_each(
    unsigned: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 MB/s, and 2 s for a request: 24 MiB in one piece would never arrive."""
    monkeypatch.setenv("AWS_TIMEOUT", "2s")
    monkeypatch.setenv("AWS_UNSIGNED_PAYLOAD", "true")
    sizes: list[int] = []

    def answer(method: str, path: str, headers: Mapping[str, str]) -> int | None:
        size = int(headers.get("Content-Length", 0))
        if method == "PUT":
            sizes.append(size)
            time.sleep(size / 8e6)
        return None

    frame = pl.DataFrame({"n": np.arange(3 * 2**20)})
    with storage_behind(unsigned, monkeypatch, answer) as store:
        ref = write_segment(store, 1, "counts", 0, Segment("1-0", frame))
        assert read_segment(store, ref).frame.equals(frame)
        assert store.create(ref.key, b"x" * 6 * 2**20) is Put.EXISTS
    assert ref.size > 24 * 2**20
    assert max(sizes) <= 5 * 2**20


@contextmanager
def storage_behind(
    service: S3Server, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> Iterator[Store]:
    bucket = service.make_bucket(unique("bucket"))
    with front(service.endpoint, answer) as endpoint:
        settings = {"AWS_ENDPOINT_URL": endpoint, "AWS_SKIP_SIGNATURE": "true"}
        for name, value in {**service.environment(), **settings}.items():
            monkeypatch.setenv(name, value)
        yield job_store(bucket, "requests")


def unconditional(endpoint: str, answer: int | None) -> AbstractContextManager[str]:
    """The same service behind one that drops `If-None-Match`, or answers it with an error."""

    def refused(method: str, path: str, headers: Mapping[str, str]) -> int | None:
        return answer if headers.get("If-None-Match") else None

    return front(endpoint, refused, drop="if-none-match")


@contextmanager
def front(endpoint: str, answer: Answer, drop: str = "") -> Iterator[str]:
    """The same service behind one that answers some requests itself, and drops a header."""
    target = urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = answer(self.command, self.path, self.headers)  # type: ignore[arg-type]
            if status is not None:
                code = {409: "ConditionalRequestConflict"}.get(status, "NotImplemented")
                return self.reply(status, {}, f"<Error><Code>{code}</Code></Error>".encode())
            headers = {k: v for k, v in self.headers.items() if k.lower() != drop}
            connection = http.client.HTTPConnection(target)
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            said = response.read()
            connection.close()
            return self.reply(response.status, dict(response.getheaders()), said)

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
