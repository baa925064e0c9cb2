"""A secret of a file reaches the Kafka clients, and nothing that people see."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from raystream.config.compile import Compiled
from raystream.config.lint import lint
from raystream.config.load import Loading, load
from raystream.config.place import InvalidFile
from raystream.config.to_python import to_python
from tests.config.corpus import CANARY

FILE = """\
name: job
sources:
  in:
    kafka:
      bootstrap_servers: k:9092
      topic: t
      security_protocol: SASL_SSL
      sasl_mechanism: PLAIN
      sasl_username: {user}
      sasl_password: "{password}"
      consumer_config: {{ssl.crl.location: "{password}"}}
    schema: {{ts: int, ip: string}}
steps:
  - {step}
sinks:
  out: {{kafka: {{bootstrap_servers: "k:9092", topic: out}}}}
"""
STEP = "filter: ts > 1"
STORAGE = 'checkpoint: {storage: "${STORAGE}"}\n'


def loaded(
    tmp_path: Path,
    password: str = "${secret:CANARY}",
    user: str = "app",
    step: str = STEP,
    secret: str = CANARY,
) -> Compiled:
    path = tmp_path / "job.yaml"
    path.write_text(FILE.format(password=password, user=user, step=step))
    return load(str(path), Loading(environment={"RAYSTREAM_SECRET_CANARY": secret}))


def everything_seen(compiled: Compiled) -> str:
    pipeline = compiled.pipeline
    nodes = pipeline.graph().nodes
    seen = [pipeline.explain(), pipeline.explain(format="mermaid"), to_python(pipeline)]
    seen += [repr(pipeline), repr(nodes), repr(pipeline.plan()), repr(compiled)]
    seen += [repr(value.node) + repr(value) for value in compiled.document.scalars()]
    seen += [str(problem) for problem in lint(compiled.document)]
    return "\n".join(seen)


def clients(compiled: Compiled) -> dict[str, object]:
    (read, *_) = compiled.pipeline.graph().nodes
    found: dict[str, object] = read.step.source.connection.settings().for_librdkafka()  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize("secret", [CANARY, f"file:/{CANARY}", f"env:{CANARY}", f"a:{CANARY}#{{"])
def test_it_reaches_the_clients_and_nobody_else(tmp_path: Path, secret: str) -> None:
    compiled = loaded(tmp_path, secret=secret)
    assert clients(compiled)["sasl.password"] == secret
    assert CANARY not in everything_seen(compiled)


def test_it_survives_the_way_into_other_processes(tmp_path: Path) -> None:
    (node, *_) = loaded(tmp_path).pipeline.graph().nodes
    again = pickle.loads(pickle.dumps(node.step.source.connection.security))  # type: ignore[union-attr]
    assert again["sasl_password"] == CANARY
    assert CANARY not in repr(again)


def test_a_secret_as_user_or_inside_longer_text_is_hidden_too(tmp_path: Path) -> None:
    compiled = loaded(tmp_path, user="'${secret:CANARY}'", password="a-${secret:CANARY}-b")
    assert clients(compiled)["sasl.password"] == f"a-{CANARY}-b"
    assert CANARY not in everything_seen(compiled)


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(CANARY + "\n")
    compiled = loaded(tmp_path, password=f"${{file:{tmp_path}/token}}")
    assert clients(compiled)["sasl.password"] == CANARY
    assert CANARY not in everything_seen(compiled)


def test_python_gets_the_reference(tmp_path: Path) -> None:
    assert 'sasl_password="env:RAYSTREAM_SECRET_CANARY"' in to_python(loaded(tmp_path).pipeline)


@pytest.mark.parametrize(
    "step",
    [
        "filter: x = '${secret:CANARY}'",
        "filter: nope > 1",
        "select: ['${secret:CANARY}']",
        "{filter: ts > 1, parallelism: '${secret:CANARY}'}",
        "{filter: ts > 1, name: '${secret:CANARY}'}",
        "{map: '${secret:CANARY}'}",
        "{window: {tumbling: '${secret:CANARY}'}, aggregate: {n: '${secret:CANARY}'}}",
        "{with_columns: {a: '${secret:CANARY}'}, unknown: '${secret:CANARY}'}",
        "'${secret:CANARY}'",
    ],
)
def test_no_message_shows_it(tmp_path: Path, step: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        loaded(tmp_path, step=step)
    seen = str(caught.value) + repr(caught.value) + repr(caught.value.problems)
    assert CANARY not in seen
    assert "job.yaml:14" in seen


def test_lint_asks_for_a_reference_where_a_password_is_written(tmp_path: Path) -> None:
    found = [p for p in lint(loaded(tmp_path, password=CANARY).document) if "secret" in p.message]
    assert [problem.path for problem in found] == ["sources.in.kafka.sasl_password"]


def test_lint_is_content_with_references(tmp_path: Path) -> None:
    for password in ("${secret:CANARY}", "env:KAFKA_PASSWORD", "file:/run/secrets/kafka"):
        found = lint(loaded(tmp_path, password=password).document)
        assert not [problem for problem in found if "secret" in problem.message]


def test_credentials_in_the_address_of_the_storage_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(FILE.format(password="x", user="app", step=STEP) + STORAGE)
    compiled = load(
        str(path), Loading(environment={"STORAGE": f"s3://key:{CANARY}@bucket/x?t={CANARY}"})
    )
    told = to_python(compiled.pipeline) + compiled.pipeline.explain()
    assert "s3://bucket/x" in told
    assert CANARY not in told
