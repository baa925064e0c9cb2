"""What many tests share: a real Kafka broker and a Ray head per session, and fresh names."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import settings

from tests.support.broker import Broker
from tests.support.s3 import S3Server

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as behind a script's `&`: deaf to Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as under nohup: deaf to closed terminals
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

os.environ.setdefault("RAYSTREAM_UI", "off")  # whoever tests a page asks for it

_EXAMPLES = 50 if os.environ.get("CI") else 100  # CI takes the same ones each time
settings.register_profile(  # no deadline: a shared machine pauses when it likes
    "raystream", deadline=None, max_examples=_EXAMPLES
)
settings.register_profile("quick", deadline=None, max_examples=10)  # of scripts/test-pythons
settings.load_profile("raystream")

collect_ignore_glob = ["e2e/jobs/*.py"]
"""Programs that tests start, not modules with doctests."""


_THREADS = 60
"""Of one process of tests; each client of Kafka that waits for the collector has some more."""


@pytest.fixture(autouse=True, scope="module")
def clients_end_with_their_module() -> Iterator[None]:
    """Collect what is left of clients: their threads and statistics cost 800 CPU s of a run.

    `main` of the command line makes collections rare for the rest of the process.
    """
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    if len(os.listdir("/proc/self/task")) > _THREADS:
        gc.collect()


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """One plain-text broker for the whole session, started by the first test that asks for it.

    Do not kill it: a test that breaks a broker starts its own. With RAYSTREAM_TEST_BOOTSTRAP
    set (to what `scripts/kafka start` printed) that broker is used instead, for quick work.
    """
    running = os.environ.get("RAYSTREAM_TEST_BOOTSTRAP")
    if running:
        yield Broker.attach(running)
        return
    with Broker.start() as broker:
        yield broker


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """One S3 service for the whole session, started by the first test that asks for it."""
    with S3Server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of a new bucket; this process's environment names the service, as a user's would."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return s3.make_bucket(unique("bucket"))


_HEAD = """
import sys, ray
from raystream.runtime.ray.private_ray import lean_start
with lean_start():
    ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=120_000_000,
             log_to_driver=False, logging_level="ERROR")
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def standing_ray() -> Iterator[tuple[int, str]]:
    """A Ray cluster in processes of its own: the pid of the first (their session), its address."""
    with subprocess.Popen(
        [sys.executable, "-c", _HEAD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as head:
        assert head.stdin is not None
        assert head.stdout is not None
        yield head.pid, head.stdout.readline().strip()
        head.stdin.close()
        head.wait(30)


@pytest.fixture(scope="session")
def ray_head() -> Iterator[str]:
    """Address of a Ray cluster that stands for the whole session, in processes of its own."""
    with standing_ray() as (_, address):
        yield address


@pytest.fixture
def topic_name() -> str:
    """A topic name that nobody has used."""
    return unique("topic")


@pytest.fixture
def job_name() -> str:
    """A job name (prefix of transactional ids and groups) that nobody has used."""
    return unique("job")


def unique(prefix: str) -> str:
    """A name never used before, beginning with the prefix."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
