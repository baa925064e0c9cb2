"""Secrets given in every place where one can be given are in nothing that a failing run leaves."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.api.jobs.past import diary_of, logs_of, past_of
from raystream.api.jobs.run import RunOptions, run
from raystream.errors import RaystreamError, told
from raystream.observe.json_form import to_json
from raystream.observe.prometheus import exposition
from raystream.runtime.otlp import metrics_data

CANARY = "hunter2canary"
ADDRESS = f"s3://AKID:{CANARY}@bucket/jobs?token={CANARY}"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": CANARY,
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "AWS_SESSION_TOKEN": CANARY,
    "AWS_ENDPOINT_URL": f"http://u:{CANARY}@127.0.0.1:1",
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://u:{CANARY}@127.0.0.1:1",
    "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={CANARY}",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "0.1",
    "OTEL_METRIC_EXPORT_INTERVAL": "100",
    "RAYSTREAM_SECRET_PASSWORD": CANARY,
    "RAYSTREAM_UI_TOKEN": CANARY,
    "RAY_AUTH_TOKEN": CANARY,
}


class Place:
    """Where a run leaves something, and all of it."""

    def __init__(self, directory: Path, logged: Callable[[], str], said: Callable[[], str]) -> None:
        self.directory = directory
        self.storage = str(directory / "state")
        self._logged, self._said = logged, said

    def everything(self, job: str, error: str) -> str:
        runs = past_of(job, self.storage)
        documents = [each.document() for each in runs]
        parts: list[Any] = [error, self._logged(), self._said()]
        parts += [json.dumps(document.to_dict()) for document in documents]
        parts += [exposition([(document, 0.0)]) for document in documents]
        parts += [metrics_data(document).to_json() for document in documents]
        parts += [to_json(each) for each in diary_of(job, 0, self.storage)]
        parts += [line for each in runs for line in logs_of(each, self.storage)]
        files = (path for path in self.directory.rglob("*") if path.is_file())
        parts += [path.read_bytes().decode(errors="replace") for path in files]
        return "\n".join(map(str, parts))


@pytest.fixture
def place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Place]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with caplog.at_level(logging.DEBUG):
        yield Place(tmp_path, lambda: caplog.text, lambda: "".join(capsys.readouterr()))


def _fails(row: dict[str, Any]) -> dict[str, Any]:
    raise ValueError(str(row))


def _kafka() -> rs.Kafka:
    return rs.Kafka(
        "127.0.0.1:1",
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_username="app",
        sasl_password=CANARY,
        ssl_key_password=CANARY,
        consumer_config={"ssl.keystore.password": CANARY},
    )


def _of_rows(p: rs.Pipeline, place: Place, function: Any = None) -> None:
    rows = p.read(rs.Rows([{"n": 1}, {"n": 2}]), name="read")
    if function is not None:
        rows = rows.map(function, schema={"n": "int"})
    rows.write(rs.Files(str(place.directory / "out")), name="out")


def _user_code(p: rs.Pipeline, place: Place) -> None:
    _of_rows(p, place, _fails)


def _brokers_away(p: rs.Pipeline, place: Place) -> None:
    rows = p.read(_kafka().topic("a"), schema={"n": "int"}, name="read")
    rows.write(_kafka().topic("b"), name="out")


def _row_that_does_not_fit(p: rs.Pipeline, place: Place) -> None:
    path = place.directory / "in.json"
    path.write_text('{"n": "no number"}\n')
    rows = p.read(rs.Files(str(path)), schema={"n": "int"}, name="read")
    rows.write(rs.Files(str(place.directory / "out")), name="out")


@pytest.mark.parametrize(
    ("build", "options", "variables"),
    [
        (_user_code, {}, {}),
        (_brokers_away, {}, {}),
        (_row_that_does_not_fit, {}, {}),
        (_of_rows, {"checkpoint_storage": ADDRESS}, {}),
        (_of_rows, {"checkpoint_storage": None}, {"RAYSTREAM_CHECKPOINT_STORAGE": ADDRESS}),
        (_of_rows, {"from_savepoint": ADDRESS}, {}),
    ],
    ids=["user code", "brokers away", "bad row", "storage", "variable", "savepoint"],
)
def test_no_secret_is_in_what_a_failing_run_leaves(
    build: Callable[[rs.Pipeline, Place], None],
    options: dict[str, Any],
    variables: dict[str, str],
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    p = rs.Pipeline("leaky")
    build(p, place)
    given = {"checkpoint_storage": place.storage, **options}
    try:
        outcome = run(p, RunOptions(local=True, until="latest", **given))
        error = outcome.message
        assert outcome.kind == "failed"
    except RaystreamError as refused:
        error = told(refused)
    found = place.everything("leaky", error)
    assert error
    assert CANARY not in found
