"""Advice about a pipeline file that is right: names, groups, timeouts, secrets."""

from __future__ import annotations

from collections.abc import Iterator

from raystream.config.check import SecretText, Value
from raystream.config.place import Place, Problem
from raystream.config.references import named
from raystream.config.yaml import Scalar
from raystream.connectors.kafka.settings import is_reference, is_secret
from raystream.units import seconds

DEFAULT_INTERVAL = "10s"
DEFAULT_TIMEOUT = "5m"
LONG_INTERVAL_S = 600.0


def lint(document: Value) -> list[Problem]:
    """What could be better, in the order of the file.

    Args:
        document: Checked, without a mistake.
    """
    found = [
        *_checkpoints(document),
        *_steps(document),
        *_sources(document),
        *_sinks(document),
        *_secrets(document),
        *_tests(document),
    ]
    return sorted(found, key=lambda problem: (problem.place, problem.path))


def _checkpoints(document: Value) -> Iterator[Problem]:
    checkpoint = document.get("checkpoint")
    options = {} if checkpoint is None else checkpoint.data
    place = (checkpoint or document).place
    interval = seconds(options["interval"].data if "interval" in options else DEFAULT_INTERVAL)
    timeout = seconds(options["timeout"].data if "timeout" in options else DEFAULT_TIMEOUT)
    if timeout < interval:
        text = "timeout is shorter than interval; a slow checkpoint fails before the next is due"
        yield Problem(place, "checkpoint", text)
    if "storage" not in options:
        text = "no storage; without it state is in ~/.raystream/checkpoints of one machine"
        yield Problem(
            place, "checkpoint", f"{text}, unless $RAYSTREAM_CHECKPOINT_STORAGE says more"
        )
    for sink in named(document, "sinks").values():
        yield from _transaction(sink, interval)


def _transaction(sink: Value, interval: float) -> Iterator[Problem]:
    """A transaction is open from one checkpoint to the commit of the next."""
    kafka = sink.get("kafka")
    options = kafka.get("transaction_timeout") if kafka is not None else None
    if options is not None and seconds(options.data) < 3 * interval:
        text = "shorter than three checkpoint intervals; a slow checkpoint loses its output"
        yield Problem(options.place, options.path, text)
    elif options is None and kafka is not None and interval > LONG_INTERVAL_S / 2:
        text = "no transaction_timeout; the default of 15m is short for such an interval"
        yield Problem(kafka.place, kafka.path, text)


def _steps(document: Value) -> Iterator[Problem]:
    steps = document.get("steps")
    for step in steps.data if steps is not None else []:
        if step.get("aggregate") is not None and step.get("name") is None:
            text = "no name; it has state, and a name keeps that state when the step is edited"
            yield Problem(step.place, step.path, text)
        lateness, late = step.get("allowed_lateness"), step.get("late")
        if lateness is not None and late is None and seconds(lateness.data) > 0:
            text = "rows later than this are dropped and counted; late: SINK keeps them"
            yield Problem(lateness.place, lateness.path, text)


def _sources(document: Value) -> Iterator[Problem]:
    for name, source in named(document, "sources").items():
        kafka = source.get("kafka")
        if name == "source":
            text = "no name; write sources: {NAME: ..}, so that its positions keep their name"
            yield Problem(source.place, source.path, text)
        if kafka is not None and kafka.get("group_id") is None:
            text = "no group_id; lag tools find the group under the name of the job"
            yield Problem(kafka.place, kafka.path, text)
        if source.get("schema") is None and source.get("datagen") is None:
            text = "no schema; columns are learnt when the job starts, so typos show only then"
            yield Problem(source.place, source.path, text)
        if source.get("event_time") is None and kafka is not None:
            text = "no event_time; windows use the record timestamp"
            yield Problem(source.place, source.path, text)


def _sinks(document: Value) -> Iterator[Problem]:
    for name, sink in named(document, "sinks").items():
        if name == "sink":
            text = "no name; write sinks: {NAME: ..}, so that its transactions keep their name"
            yield Problem(sink.place, sink.path, text)


def _secrets(document: Value) -> Iterator[Problem]:
    for value in document.scalars():
        name = value.path.rpartition(".")[2]
        plain = not isinstance(value.data, SecretText) and not is_reference(value.data)
        written = isinstance(value.node, Scalar) and not value.node.interpolated
        if is_secret(name) and plain and written and "kafka" in value.path.split("."):
            yield Problem(value.place, value.path, 'a secret in the file; write "${secret:NAME}"')


def _tests(document: Value) -> Iterator[Problem]:
    if document.get("tests") is None:
        yield Problem(Place(document.place.file, 1, 1), "", "no tests: rows in, rows out")
