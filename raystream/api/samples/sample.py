"""`show` and `collect`: run a pipeline in this process on a sample, without side effects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from raystream.api.jobs.progress import patiently, say
from raystream.api.origin import at_call, wrong
from raystream.api.samples.learn import learn_schemas, learn_types
from raystream.connectors.traits import topics_of
from raystream.data.changes import ChangesMode
from raystream.graph.logical import Edge, LogicalGraph, Node, Origin
from raystream.graph.nearest import did_you_mean
from raystream.graph.policies import DeliveryGuarantee, ErrorPolicy
from raystream.operators.write.step import Write
from raystream.units import Duration, seconds

if TYPE_CHECKING:
    import polars as pl

    from raystream.api.pipeline import Pipeline
    from raystream.api.samples.sample_ends import CollectingSink, SampledSource
    from raystream.runtime.local import LocalRuntime

CLOSING_S = 10.0
"""Seconds that windows get to close when the time is up."""

NO_CHECKPOINT_S = 1e6


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows that reached one end.

    Args:
        label: Name of the end for people: the topic of a sink, or the name of its step.
        frame: Its rows.
        more: There may be more rows than these.
        note: How the sample was made, in words.
    """

    label: str
    frame: pl.DataFrame
    more: bool
    note: str


def sample(
    pipeline: Pipeline, end: Edge | str | None, limit: int, timeout: Duration
) -> list[Sample]:
    """Run a pipeline on what its sources hold now.

    Args:
        pipeline: The pipeline; its sinks write nothing.
        end: An output of a step, the name of a sink, or None: all sinks.
        limit: Rows wanted of each end.
        timeout: Maximum time to read; then event time goes to infinity, which closes windows.

    Raises:
        ConfigurationError: the pipeline cannot run, or has no such sink.
        JobFailed: a step failed.
    """
    with at_call():
        longest = seconds(timeout, "timeout")
    if not isinstance(limit, int) or limit < 1:
        text = f"limit {limit!r} is not a number of rows"
        raise wrong(text, "write 1 or more")
    graph, collecting = _cut(pipeline.graph(), end)
    return _Sampling(graph, collecting, limit, longest).run()


def _cut(graph: LogicalGraph, end: Edge | str | None) -> tuple[LogicalGraph, list[CollectingSink]]:
    """The part of the graph that leads to the ends, with collecting in place of sinks."""
    from raystream.api.samples.sample_ends import CollectingSink

    if isinstance(end, Edge):
        tag = "" if end.tag == "main" else f".{end.tag}"
        collector = CollectingSink(graph.node(end.source).name + tag)
        number = max(node.id for node in graph.nodes) + 1
        last = Node(
            number, "sample", Write(collector, _log(graph, end)), Origin("", 0), (end,), named=True
        )
        return _above(graph, [last]), [collector]
    sinks = [node for node in graph.nodes if node.step.sink is not None]
    if not sinks:
        text = f"pipeline {graph.name!r} writes nothing yet"
        raise wrong(text, "show a stream: rows.show(), or end one with .write(..)")
    chosen = sinks if end is None else [_sink(sinks, end)]
    collecting = [CollectingSink(label(node)) for node in chosen]
    ends = [
        replace(node, step=Write(collector, _log(graph, node.inputs[0])))
        for node, collector in zip(chosen, collecting, strict=True)
    ]
    return _above(graph, ends), collecting


def _log(graph: LogicalGraph, end: Edge) -> ChangesMode | None:
    """How rows are shown: changes with their kind."""
    from raystream.plan.schemas import graph_outputs

    schema = graph_outputs(graph.nodes, {}).get(end)
    return None if schema is None or schema.changes is None else ChangesMode.LOG


def only_sink(pipeline: Pipeline) -> str | None:
    """Name of the sink, if there is only one.

    Raises:
        ConfigurationError: there are several.
    """
    sinks = [node for node in pipeline.graph().nodes if node.step.sink is not None]
    if len(sinks) < 2:
        return None
    names = [label(node) for node in sinks]
    text = f"there are {len(sinks)} sinks: {', '.join(names)}"
    raise wrong(text, f"write p.collect(sink={names[0]!r}), or see all with p.show()")


def label(node: Node) -> str:
    """Name of a sink for people: its only topic if the step is unnamed, else the step."""
    topics = topics_of(node.step.sink)
    return str(topics[0]) if len(topics) == 1 and not node.named else node.name


def _sink(sinks: Sequence[Node], asked: str) -> Node:
    for node in sinks:
        if asked in (node.name, label(node)):
            return node
    text = f"there is no sink {asked!r}"
    raise wrong(text, did_you_mean(asked, [label(node) for node in sinks]))


def _above(graph: LogicalGraph, ends: Sequence[Node]) -> LogicalGraph:
    needed = {edge.source for node in ends for edge in node.inputs}
    for node in reversed(graph.nodes):
        if node.id in needed:
            needed |= {edge.source for edge in node.inputs}
    kept = [node for node in graph.nodes if node.id in needed]
    asked = {edge for node in (*kept, *ends) for edge in node.inputs}
    sampled = [_sampled(_lenient(node, asked)) for node in kept]
    return LogicalGraph(graph.name, (*sampled, *ends))


def _lenient(node: Node, asked: set[Edge]) -> Node:
    """Skip dead letters that are not requested, as in the job."""
    if node.step.errors is not ErrorPolicy.DLQ or Edge(node.id, "errors") in asked:
        return node
    return replace(node, step=node.step.but(errors=ErrorPolicy.SKIP))


def _sampled(node: Node) -> Node:
    """Turn a read into one of what is there now."""
    from raystream.api.samples.sample_ends import SampledSource

    if node.step.source is None:
        return node
    return replace(node, step=node.step.but(source=SampledSource(node.step.source)))


class _Sampling:
    """One run in this process: until the sources end, there are enough rows, or the time is up."""

    def __init__(
        self, graph: LogicalGraph, collecting: Sequence[CollectingSink], limit: int, longest: float
    ) -> None:
        self._graph = graph
        self._collecting = collecting
        self._limit = limit
        self._longest = longest
        self._reads = [node for node in graph.nodes if node.step.source is not None]
        self._seconds = 0.0

    def run(self) -> list[Sample]:
        from raystream.plan.planner import reads_to_learn

        missing = reads_to_learn(self._graph)
        learnt = learn_schemas(missing, {}, bounded=True, say=say, wait=time.sleep)
        if missing and not learnt and len(missing) == len(self._reads):
            return self._results(cut_short=False)
        learnt |= learn_types(self._graph, learnt, {}, bounded=True)
        runtime = self._runtime(learnt)
        try:
            return self._results(cut_short=self._fill(runtime))
        finally:
            runtime.close()

    def _runtime(self, learnt: Any) -> LocalRuntime:
        from raystream.job.spec import CheckpointSettings, JobSpec
        from raystream.plan.planner import plan
        from raystream.runtime.local import LocalRuntime
        from raystream.storage.memory import MemoryStore

        nothing = DeliveryGuarantee.NONE
        planned = plan(self._graph, 1, learnt, guarantee=nothing)
        splits = {}
        for node in self._reads:
            source = _source(node)
            with patiently(f"waiting for an answer from {source.describe()}"):
                splits[node.name] = tuple(source.discover(bounded=True))
        never = CheckpointSettings("memory://sample", NO_CHECKPOINT_S)
        name = "raystream"  # of a sample: the job's own name would be its consumer group
        job = JobSpec(name, planned, never, splits, nothing, bounded=True)
        return LocalRuntime(job, store=MemoryStore(name))

    def _fill(self, runtime: LocalRuntime) -> bool:
        """Run; returns whether the time was up."""
        from raystream.api.jobs.run import successful
        from raystream.job.stop_kind import StopKind

        began = time.monotonic()
        up = False
        while runtime.loop.outcome is None and not self._enough():
            pause = runtime.step()
            self._seconds = time.monotonic() - began
            if not up and self._seconds >= self._longest:
                up = True
                runtime.loop.request_stop(StopKind.DRAIN)
            elif self._seconds >= self._longest + CLOSING_S:
                break
            elif pause > 0:
                time.sleep(min(pause, 0.01))
        if runtime.loop.outcome is not None:
            successful(runtime.loop.outcome)
        return up

    def _enough(self) -> bool:
        return all(collector.height >= self._limit for collector in self._collecting)

    def _results(self, *, cut_short: bool) -> list[Sample]:
        note = self._note(cut_short)
        return [
            Sample(
                collector.label, collector.frame(self._limit), collector.height >= self._limit, note
            )
            for collector in self._collecting
        ]

    def _note(self, cut_short: bool) -> str:
        rows = sum(_source(node).rows for node in self._reads)
        counted = "1 row" if rows == 1 else f"{rows:,} rows"
        note = f"a sample of {counted}, read in {self._seconds:.1f} s; nothing was written"
        windows = any(node.step.keeps_state for node in self._graph.nodes)
        endless = any(_source(node).endless for node in self._reads)
        if windows and not self._enough() and (cut_short or endless):
            note += "; the sample ends there, so its last windows may be partial"
        return note


def _source(node: Node) -> SampledSource:
    source: SampledSource = node.step.source
    return source
