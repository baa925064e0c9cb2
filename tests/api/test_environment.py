"""Command line over RAYSTREAM_* over the pipeline over the default."""

from __future__ import annotations

from pathlib import Path

import pytest

import raystream as rs
from raystream.api.environment import doubts, in_effect
from raystream.api.jobs.run import RunOptions, storage_of
from raystream.errors import ConfigurationError

SAID = {
    "RAYSTREAM_CHECKPOINT_STORAGE": "s3://bucket/x",
    "RAYSTREAM_CHECKPOINT_INTERVAL": "250ms",
    "RAYSTREAM_CHECKPOINT_TIMEOUT": "1m",
    "RAYSTREAM_CHECKPOINT_MIN_PAUSE": "1s",
    "RAYSTREAM_PARALLELISM": "3",
    "RAYSTREAM_STATE_MEMORY": "1GiB",
    "RAYSTREAM_STATE_DIRECTORY": "/disk",
    "RAYSTREAM_DELIVERY_GUARANTEE": "at_least_once",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SAID, "RAYSTREAM_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)


def test_every_setting_has_a_variable_that_wins_over_the_pipeline() -> None:
    p = rs.Pipeline("job", checkpoint_interval="5s", parallelism=1, checkpoint_storage="/pipeline")
    found = in_effect(p.settings, SAID)
    assert {name: getattr(found, name) for name in found.__dataclass_fields__} == {
        "delivery_guarantee": "at_least_once",
        "checkpoint_interval": 0.25,
        "checkpoint_storage": "s3://bucket/x",
        "checkpoint_timeout": 60.0,
        "checkpoint_min_pause": 1.0,
        "parallelism": 3,
        "state_memory": 1 << 30,
        "state_directory": "/disk",
    }
    assert set(SAID) == {f"RAYSTREAM_{name.upper()}" for name in found.__dataclass_fields__}


def test_what_is_not_set_or_empty_is_the_pipelines() -> None:
    settings = rs.Pipeline("job", checkpoint_interval="5s").settings
    assert in_effect(settings, {}) == settings
    assert in_effect(settings, {"RAYSTREAM_CHECKPOINT_INTERVAL": ""}) == settings


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CHECKPOINT_INTERVAL", "10", "its value: '10' is not a duration; for example 10s,"),
        ("CHECKPOINT_INTERVAL", "0s", "it must be more than 0; for example 10s,"),
        ("PARALLELISM", "-1", "'-1' is not a number of subtasks; write 1 or more, or unset it"),
        (
            "DELIVERY_GUARANTEE",
            "exact",
            "'exact' is not a delivery guarantee; one of exactly_once,",
        ),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        in_effect(rs.Pipeline("job").settings, {f"RAYSTREAM_{name}": value})
    assert str(caught.value).startswith(f"RAYSTREAM_{name}: {message}")


def test_a_misspelt_variable_is_told() -> None:
    graph = rs.Pipeline("job").graph()
    assert doubts(graph, {**SAID, "RAYSTREAM_SECRET_X": "1", "RAYSTREAM_TEST_POINT": "1"}) == []
    assert doubts(graph, {"RAYSTREAM_PARALELISM": "3"}) == [
        "RAYSTREAM_PARALELISM is not a variable of raystream and has no effect;"
        " did you mean RAYSTREAM_PARALLELISM?"
    ]


def test_two_clusters_that_become_one_are_told() -> None:
    p = rs.Pipeline("job")
    p.read(rs.Kafka("a:1").topic("in")).write(rs.Kafka("b:2").topic("out"))
    said = {"RAYSTREAM_BOOTSTRAP_SERVERS": "c:3"}
    assert doubts(p.graph(), said) == [
        "RAYSTREAM_BOOTSTRAP_SERVERS=c:3 replaces a:1 and b:2: both are the same cluster now"
    ]


def test_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", "/env")
    p = rs.Pipeline("job", checkpoint_storage="/pipeline")
    assert storage_of(p, RunOptions(checkpoint_storage="/run")) == "/run"
    assert storage_of(p, RunOptions()) == "/env"


def test_a_run_says_what_the_environment_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", "/env")
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_INTERVAL", "1s")
    monkeypatch.setenv("RAYSTREAM_BOOTSTRAP_SERVERS", "c:3")
    monkeypatch.setenv("RAYSTREAM_PARALELISM", "3")
    p = rs.Pipeline("job")
    p.read(rs.Rows([{"n": 1}])).write(rs.Collect())
    p.run(until="latest", local=True, checkpoint_storage=str(tmp_path))
    assert capsys.readouterr().err.splitlines()[:2] == [
        f"job: checkpoints in {tmp_path}/job/; from the environment:"
        " RAYSTREAM_CHECKPOINT_INTERVAL=1s",
        "warning: RAYSTREAM_PARALELISM is not a variable of raystream and has no effect;"
        " did you mean RAYSTREAM_PARALLELISM?",
    ]


def test_whether_there_is_a_native_reader_is_said_where_json_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from raystream.api.environment import native_reader

    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([{"n": 1}]))
    assert native_reader(p.graph()) == ""
    rows.union(p.read(rs.Kafka("a:1").topic("t"), schema={"n": "int"})).write(rs.Collect())
    monkeypatch.setenv("RAYSTREAM_NATIVE", "0")
    assert native_reader(p.graph()) == "native reader: RAYSTREAM_NATIVE=0"
    monkeypatch.setenv("RAYSTREAM_NATIVE", "1")
    monkeypatch.setattr("raystream.native._loaded", lambda: (None, "it is not built"))
    with pytest.raises(ConfigurationError, match="there is no native reader: it is not built"):
        native_reader(p.graph())
    monkeypatch.setenv("RAYSTREAM_NATIVE", "yes")
    with pytest.raises(ConfigurationError, match="'yes' is neither 0 nor 1"):
        native_reader(p.graph())
    monkeypatch.delenv("RAYSTREAM_NATIVE")
    assert native_reader(p.graph()) == "native reader: it is not built"
