"""The page of a run in the foreground: when there is one, what it answers, and that it ends."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.api.jobs.page import OwnJob, is_wanted
from raystream.api.jobs.run import RunOptions, run
from raystream.errors import ConfigurationError, RaystreamError
from raystream.observe.status import StatusDocument
from raystream.ui.beside import BesidePage


class _Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("asked", "local", "environment", "wanted"),
    [
        (None, False, {}, True),
        (None, True, {}, False),
        (None, False, {"CI": "true"}, True),
        (None, False, {"RAY_ADDRESS": "10.0.0.1:6379"}, True),
        (None, False, {"RAY_ADDRESS": "10.0.0.1:6379", "CI": "true"}, False),
        (None, False, {"RAYSTREAM_UI": "off"}, False),
        (None, True, {"RAYSTREAM_UI": "ON"}, True),
        (True, True, {"RAYSTREAM_UI": "off"}, True),
        (False, False, {"RAYSTREAM_UI": "on"}, False),
    ],
)
def test_a_run_on_a_terminal_has_a_page_and_what_is_said_decides(
    monkeypatch: pytest.MonkeyPatch,
    asked: bool | None,
    local: bool,
    environment: dict[str, str],
    wanted: bool,
) -> None:
    monkeypatch.setattr("sys.stderr", _Terminal())
    assert is_wanted(asked=asked, local=local, environment=environment) is wanted


def test_without_a_terminal_there_is_one_with_a_private_ray_only() -> None:
    elsewhere = {"RAY_ADDRESS": "10.0.0.1:6379"}
    assert is_wanted(asked=None, local=False, environment={})
    assert is_wanted(asked=None, local=False, environment=elsewhere, address="local")
    assert not is_wanted(asked=None, local=False, environment=elsewhere)
    assert not is_wanted(asked=None, local=False, environment={}, address="10.0.0.1:6379")


def test_a_mistyped_variable_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="neither on nor off"):
        is_wanted(asked=None, local=False, environment={"RAYSTREAM_UI": "of"})


def _get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith("{") else text


def _order(address: str, order: str) -> Any:
    request = urllib.request.Request(
        f"{address}api/v1/jobs/own/{order}", method="POST", headers={"X-Raystream": "test"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_it_shows_the_run_takes_orders_and_ends_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    p = rs.Pipeline("own", checkpoint_storage=str(tmp_path), checkpoint_interval="200ms")
    source = rs.Datagen(rate=500, schema={"n": "int"})
    p.read(source, name="read").write(rs.Files(str(tmp_path / "out")), name="out")
    found: dict[str, Any] = {}

    def look() -> None:
        until = time.monotonic() + 20
        while "page at " not in (said := capsys.readouterr().err):
            assert time.monotonic() < until
            time.sleep(0.01)
        address = said.partition("page at ")[2].split()[0]
        while not _get(f"{address}api/v1/jobs")["jobs"]:
            time.sleep(0.05)
        found["address"] = address
        rows: list[Any] = []
        marks: Any = {}
        while not rows:
            path = f"{address}api/v1/jobs/own/steps/read/rows?marks={_quoted(marks)}"
            told = _get(path)
            rows, marks = told["rows"], told["marks"]
            time.sleep(0.05)
        found["row"] = rows[0]
        found["metrics"] = _get(f"{address}metrics")
        found["savepoint"] = _order(address, "savepoint")["answer"]
        found["stop"] = _order(address, "stop")["answer"]

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    outcome = run(p, RunOptions(local=True, ui=True))
    looking.join(30)
    assert outcome.kind == "stopped"
    assert list(found["row"]) == ["n"]
    assert 'raystream_job_up{job="own"} 1' in found["metrics"]
    assert found["savepoint"].startswith(f"savepoint: {tmp_path}")
    assert found["stop"] == "it is ending, and its page with it"
    with pytest.raises(OSError, match="refused"):
        _get(found["address"])


def _quoted(marks: Any) -> str:
    return urllib.request.quote(json.dumps(marks))  # type: ignore[attr-defined, no-any-return]


class _Away:
    """A runtime whose Ray is being started again."""

    cpus = 1

    def ask(self, method: str, *arguments: Any) -> Any:
        raise KeyError(method)


def test_a_run_that_tells_nothing_is_silent_and_its_orders_fail_with_words() -> None:
    now = 0.0
    page = BesidePage()
    try:
        own = OwnJob("own", _Away(), page, lambda: now)  # type: ignore[arg-type]
        assert own.statuses() == ()
        own.take(StatusDocument("own", "running"))
        assert [each.state for each in own.statuses()] == ["running"]
        now = 6.0
        assert [each.state for each in own.statuses()] == ["silent"]
        with pytest.raises(RaystreamError, match="cannot answer now"):
            own.act("own", "stop")
    finally:
        page.end()


def test_a_port_that_is_taken_is_said() -> None:
    page = BesidePage()
    try:
        port = int(page.address.rstrip("/").rpartition(":")[2])
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
            BesidePage(port)
    finally:
        page.end()
