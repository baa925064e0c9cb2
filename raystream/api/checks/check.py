"""`raystream check`: would this pipeline run here and now? Connects, but changes nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from raystream.api.environment import doubts, in_effect, told_by_environment
from raystream.api.jobs.run import RunOptions, storage_of
from raystream.connectors.traits import cluster_of, path_of
from raystream.errors import ConfigurationError, RaystreamError
from raystream.graph.policies import ErrorPolicy
from raystream.observe.finding import Finding, error, ok, warning

if TYPE_CHECKING:
    from raystream.api.pipeline import Pipeline
    from raystream.api.samples.sample_read import Look
    from raystream.connectors.kafka.checks import JobFacts
    from raystream.connectors.kafka.connection import Kafka
    from raystream.connectors.kafka.inspection import KafkaPythonInspection
    from raystream.data.schema import Schema
    from raystream.graph.logical import Node
    from raystream.plan.physical import PhysicalPlan

Say = Callable[[Finding], None]


def check(pipeline: Pipeline, checkpoint_storage: str | None, say: Say) -> list[Finding]:
    """Check everything that a run needs; one problem does not hide another.

    Args:
        pipeline: What would run.
        checkpoint_storage: Overrides the pipeline's.
        say: Receives each finding as soon as it is known.

    Raises:
        ConfigurationError: the pipeline as written cannot run anywhere.
    """
    pipeline.plan(parallelism=1)
    with _Check(pipeline, checkpoint_storage, say) as checking:
        checking.run()
        return checking.findings


def check_brokers_of(pipeline: Pipeline, checkpoint_storage: str | None = None) -> list[Finding]:
    """Find problems with the brokers, topics and rights that a run needs, in about half a second.

    Clusters are queried in parallel. Nothing is changed and no record is read.

    Args:
        pipeline: What is to run.
        checkpoint_storage: Overrides the pipeline's.
    """
    from raystream.observe.finding import errors

    with _Check(pipeline, checkpoint_storage, lambda finding: None) as checking:
        checking.brokers()
        return errors(checking.findings)


def refuse_unreachable(pipeline: Pipeline, checkpoint_storage: str | None = None) -> None:
    """Refuse to start if brokers are unreachable or reject us, or if rights are missing.

    Other problems, such as a missing topic, are reported by the plan, with its line.

    Args:
        pipeline: What is to run.
        checkpoint_storage: Overrides the pipeline's.

    Raises:
        ConfigurationError: something is wrong; worded as in `raystream check`.
    """
    told = _told(check_brokers_of(pipeline, checkpoint_storage))
    if told:
        raise ConfigurationError(told)


def why_it_failed(pipeline: Pipeline, checkpoint_storage: str | None = None) -> str:
    """What a check of the brokers finds after a run has failed; empty: nothing.

    Args:
        pipeline: What ran.
        checkpoint_storage: Overrides the pipeline's.
    """
    try:
        return _told(check_brokers_of(pipeline, checkpoint_storage))
    except (RaystreamError, OSError):
        return ""


def _told(findings: list[Finding]) -> str:
    """The findings that no other message reports, one per line."""
    lines = [
        f"{found.about}: {found.text}{f'; {found.what_to_do}' if found.what_to_do else ''}"
        for found in findings
        if found.about.startswith("brokers ") or found.text.startswith("no right")
    ]
    return "\n".join(lines)


class _Check:
    def __init__(self, pipeline: Pipeline, checkpoint_storage: str | None, say: Say) -> None:
        from raystream.plan.planner import reads, writes

        self.findings: list[Finding] = []
        self._say = say
        self._pipeline = pipeline
        self._graph = pipeline.graph()
        self._reads, self._writes = reads(self._graph), writes(self._graph)
        self._storage = storage_of(pipeline, RunOptions(checkpoint_storage=checkpoint_storage))
        self._asking: dict[str, KafkaPythonInspection | None] = {}
        self._stack = ExitStack()

    def __enter__(self) -> _Check:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self) -> None:
        """Every check, in the order in which a run would need them."""
        text = told_by_environment(self._graph).partition(": ")[2]
        if text:
            self._found(ok("environment", text))
        for doubt in doubts(self._graph):
            self._found(warning("environment", doubt))
        for kafka in self._clusters():
            self._guarded(f"brokers {kafka.settings().address()}", lambda k=kafka: self._meet(k))  # type: ignore[misc]
        readable = [node for node in self._reads if self._about_source(node)]
        for node in self._writes:
            self._about_sink(node)
        from raystream.storage.probe import probe

        self._guarded(f"checkpoint storage {self._storage}", lambda: probe(self._storage))
        self._about_records(readable)

    def brokers(self) -> None:
        """The checks that need only the brokers."""
        from concurrent.futures import ThreadPoolExecutor

        clusters = self._clusters()
        if not clusters:
            return
        with ThreadPoolExecutor(len(clusters), "raystream-check") as pool:
            list(pool.map(self._brokers_of, clusters))

    def _brokers_of(self, kafka: Kafka) -> None:
        about = f"brokers {kafka.settings().address()}"
        if not self._guarded(about, lambda: self._meet(kafka)):
            return
        for node in self._reads:
            if self._is_at(node, kafka):
                self._about_source(node)
        for node in self._writes:
            if self._is_at(node, kafka):
                self._about_sink(node)

    def _is_at(self, node: Node, kafka: Kafka) -> bool:
        step = node.step
        cluster = cluster_of(step.source if step.source is not None else step.sink)
        return cluster is not None and _key(cluster) == _key(kafka)

    # -- parts -------------------------------------------------------------------------------

    def _about_source(self, node: Node) -> bool:
        """Whether it can be read."""
        from raystream.connectors.kafka.source import KafkaSource

        step: Any = node.step
        source, name = step.source, self._pipeline.name
        if not isinstance(source, KafkaSource):
            return self._guarded(source.describe(), lambda: _plain_source(source))
        asking = self._asked(source.connection)
        if asking is None:
            return False
        from raystream.connectors.kafka.checks import check_source

        return self._guarded(source.describe(), lambda: check_source(source, asking, name))

    def _about_sink(self, node: Node) -> None:
        from raystream.connectors.kafka.sink import KafkaSink

        step: Any = node.step
        sink = step.sink
        if not isinstance(sink, KafkaSink):
            self._guarded(sink.describe(), lambda: _plain_sink(sink))
            return
        asking = self._asked(sink.connection)
        if asking is not None:
            from raystream.connectors.kafka.checks import check_sink

            self._guarded(sink.describe(), lambda: check_sink(sink, asking, self._job()))

    def _about_records(self, nodes: list[Node]) -> None:
        """Check that the newest records fit the columns; the first records define the columns."""
        learnt: dict[str, Schema] = {}
        for node in nodes:
            self._guarded(_source(node).describe(), lambda node=node: _learn(node, learnt))  # type: ignore[misc]
        known = [node for node in nodes if _schema(node) is not None or node.name in learnt]
        if len(known) < len(self._reads):
            return
        try:
            plan = self._pipeline.plan(parallelism=1, learnt=learnt)
        except ConfigurationError as problem:
            self._found(error("columns", str(problem)))
            return
        for node in known:
            about = _source(node).describe()
            self._guarded(about, lambda node=node: self._sampled(node, plan))  # type: ignore[misc]

    def _sampled(self, node: Node, plan: PhysicalPlan) -> Iterator[Finding]:
        from raystream.api.samples.sample_read import look_at

        step: Any = node.step
        (spec,) = [spec for _, spec in plan.steps() if spec.name == node.name]
        assert spec.read is not None
        look = look_at(step, spec.read, self._pipeline.name, node.name)
        about = step.source.describe()
        if look.failed:
            yield _unfit(about, look.failed, look.looked, look.first, step.errors)
        elif look.looked:
            yield ok(about, f"{_count(look.looked, 'record')} checked, all fit")
        yield from _unknown(about, look)
        yield from _times(about, step, look)

    # -- clusters ----------------------------------------------------------------------------

    def _clusters(self) -> list[Kafka]:
        ends = [_source(node) for node in self._reads] + [_sink(node) for node in self._writes]
        every = [cluster for end in ends if (cluster := cluster_of(end)) is not None]
        return list({_key(kafka): kafka for kafka in every}.values())

    def _meet(self, kafka: Kafka) -> Iterator[Finding]:
        from raystream.connectors.kafka.checks import check_brokers
        from raystream.connectors.kafka.reach import inspection

        self._asking[_key(kafka)] = None
        asking = inspection(kafka)
        self._stack.callback(asking.close)
        self._asking[_key(kafka)] = asking
        yield from check_brokers(asking, kafka.settings().address())

    def _asked(self, kafka: Kafka) -> KafkaPythonInspection | None:
        return self._asking.get(_key(kafka))

    def _job(self) -> JobFacts:
        from raystream.connectors.kafka.checks import JobFacts
        from raystream.storage.log_view import look

        settings = in_effect(self._pipeline.settings)
        try:
            view = look(self._storage, self._pipeline.name)
        except RaystreamError:
            view = None  # the probe reports it
        return JobFacts(
            self._pipeline.name,
            settings.delivery_guarantee,
            settings.checkpoint_interval,
            settings.checkpoint_timeout,
            "" if view is None else view.store_id,
        )

    # -- findings ----------------------------------------------------------------------------

    def _guarded(self, about: str, checks: Callable[[], Iterator[Finding]]) -> bool:
        """Add what the checks find; one of our own errors is a finding, too. True: no error."""
        from raystream.connectors.kafka.clients import ClientError
        from raystream.observe.finding import errors

        before = len(self.findings)
        try:
            for finding in checks():
                self._found(finding)
        except RaystreamError as problem:
            self._found(error(about, problem.what, problem.what_to_do))
        except ClientError as problem:
            self._found(error(about, f"the brokers do not answer: {problem}", "try again"))
        return not errors(self.findings[before:])

    def _found(self, finding: Finding) -> None:
        if finding not in self.findings:  # two sinks share a job name, two sources share a group
            self.findings.append(finding)
            self._say(finding)


def _key(kafka: Kafka) -> str:
    return f"{kafka.settings().address()} {sorted(kafka.security.items())!r}"


def _source(node: Node) -> Any:
    step: Any = node.step
    return step.source


def _sink(node: Node) -> Any:
    step: Any = node.step
    return step.sink


def _schema(node: Node) -> Any:
    step: Any = node.step
    return step.schema


def _plain_source(source: Any) -> Iterator[Finding]:
    splits = source.discover(bounded=False)
    if not splits:
        yield warning(source.describe(), "there is nothing there yet", "is the path right?")
        return
    yield ok(source.describe(), f"{_count(len(splits), 'split')}, can be read")


def _plain_sink(sink: Any) -> Iterator[Finding]:
    there = path_of(sink)
    if there is None:
        return
    while not os.path.exists(there):
        there = os.path.dirname(there)
    if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK):
        yield ok(sink.describe(), "can be written")
    else:
        yield error(sink.describe(), f"{there} cannot be written to", "check the path, the rights")


def _learn(node: Node, learnt: dict[str, Schema]) -> Iterator[Finding]:
    source = _source(node)
    if _schema(node) is not None:
        return
    found = source.learn()
    if found is None:
        text = "no record yet: what columns it has is not known"
        yield warning(source.describe(), text, "write schema=, or write a record")
    else:
        learnt[node.name] = node.step.learnt(found)


def _unfit(about: str, failed: int, looked: int, first: str, policy: ErrorPolicy) -> Finding:
    from raystream.formats.advice import declaration

    text = f"{failed} of {looked} records looked at do not fit; the first is {first}"
    if policy is ErrorPolicy.FAIL:
        wider = declaration(first)
        way = f"declare {wider}, in schema= of read" if wider else "correct them"
        return error(about, text, f"the job would stop there: {way}, or read with errors=")
    word = "left out" if policy is ErrorPolicy.SKIP else "dead letters"
    return warning(about, text, f"they would be {word}")


def _unknown(about: str, look: Look) -> Iterator[Finding]:
    from raystream.observe.unknown import how, listed

    if look.unknown:
        names = tuple(sorted(look.unknown))
        fields = "field" if len(names) == 1 else "fields"
        yield warning(about, f"no column takes the {fields} {listed(names)}", how())


def _times(about: str, step: Any, look: Look) -> Iterator[Finding]:
    from raystream.api.checks.suspect import moment, suspicion

    if look.earliest_ms is None or look.latest_ms is None:
        return
    doubt = suspicion(step, look, time.time() * 1000)
    if doubt is not None:
        yield warning(about, *doubt)
        return
    spans = f"from {moment(look.earliest_ms)} to {moment(look.latest_ms)}"
    yield ok(about, f"event time {str(step.event_time)!r} {spans}")


def _count(number: int, word: str) -> str:
    return f"1 {word}" if number == 1 else f"{number} {word}s"
