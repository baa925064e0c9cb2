"""`feed`: a pipeline run in this process on given rows, with a virtual clock and real checkpoints.

The idea of Kafka Streams' TopologyTestDriver with the markers of Bytewax's TestingSource; here the
engine underneath is the whole one: barriers, snapshots, two-phase commit, recovery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

import polars as pl

from raystream.api.pipeline import Pipeline
from raystream.connectors.collect import Collect
from raystream.connectors.traits import topics_of
from raystream.errors import ConfigurationError, JobFailed
from raystream.graph.logical import LogicalGraph, Node
from raystream.ids import StepName
from raystream.job.outcome import Outcome
from raystream.job.spec import CheckpointSettings, JobSpec
from raystream.plan.changes import read_options
from raystream.plan.learning import learn_functions
from raystream.plan.planner import plan, used
from raystream.runtime.local import LocalRuntime
from raystream.storage.memory import MemoryStore
from raystream.testing.fed_source import Crash, FedSource, Item, World
from raystream.testing.markers import ADVANCE, CRASH, EOF, PAUSE, Advance
from raystream.time.clock import VirtualClock

__all__ = ["ADVANCE", "CRASH", "EOF", "PAUSE", "feed"]

WALL_MS = 2_000_000_000_000
"""The virtual clock starts in 2033, so that no time of a test lies in the future."""

QUIET_S = 0.5
"""Virtual seconds without work after which everything that was read is processed."""

LONGEST_STEP_S = 1.0


def feed(
    pipeline: Pipeline,
    rows: Mapping[str, Sequence[Item]],
    *,
    parallelism: int | Sequence[int] = 1,
    wall_ms: int = WALL_MS,
) -> dict[str, list[dict[str, Any]]]:
    """What a pipeline writes when it reads these rows.

    Sources and sinks are replaced; everything between them is what runs in production. At the end
    of the rows all windows close and the last checkpoint commits.

    Args:
        pipeline: Built as for production; no broker is contacted.
        rows: Per source, by the name of its step or its topic: dict rows, and between them
            markers: `EOF`, `CRASH`, `PAUSE`, `ADVANCE("1m")`.
        parallelism: Subtasks of each chain; several numbers: of one process after the other, the
            last of all further ones. A process ends at a CRASH or EOF.
        wall_ms: Where the virtual wall clock starts, epoch ms.

    Returns:
        Per sink, by the name given to its step, else of its topic: committed rows. What several
        steps write to one topic comes together, in the order of the steps.

    Raises:
        ConfigurationError: Rows for a source that there is not, or a source without rows.
        JobFailed: The job failed.

    >>> import raystream as rs
    >>> p = rs.Pipeline("example")
    >>> requests = p.read(rs.Kafka("kafka:9092").topic("requests"), event_time="ts")
    >>> requests.window(rs.tumbling("1m")).agg(n=rs.count()).write(rs.Collect(), name="counts")
    >>> feed(p, {"requests": [{"ts": 1}, CRASH, {"ts": 2}]})["counts"]
    [{'window_start': 0, 'window_end': 60000, 'n': 2}]
    """
    each = [parallelism] if isinstance(parallelism, int) else list(parallelism)
    return _Feeding(pipeline, rows, each, wall_ms).to_the_end()


class _Inline(Executor):
    """Runs what is submitted at once, in the same thread: no threads, no waiting."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **named))
        except Exception as error:  # noqa: BLE001 - belongs to anyone who asks for the result
            done.set_exception(error)
        return done


class _Feeding:
    """One call of `feed`: runs of one job after another, each until EOF or a crash."""

    def __init__(
        self,
        pipeline: Pipeline,
        rows: Mapping[str, Sequence[Item]],
        parallelism: list[int],
        wall_ms: int,
    ) -> None:
        graph = pipeline.graph()
        self._pipeline = pipeline
        self._world = World()
        self._clock = VirtualClock(wall_ms=wall_ms)
        self._store = MemoryStore(pipeline.name)
        self._sources = _sources(graph, rows, self._world)
        self._sinks = {node.name: Collect() for node in graph.nodes if node.step.sink is not None}
        self._labels = {n.name: _label(n) for n in graph.nodes if n.name in self._sinks}
        nodes = tuple(self._replaced(node) for node in graph.nodes)
        learnt = {
            node.name: node.step.learnt(found)
            for node in nodes
            if node.name in self._sources and (found := self._sources[node.name].learn())
        }
        told = LogicalGraph(graph.name, nodes)
        learnt |= learn_functions(used(told), learnt, {}, self._first_rows, strict=False)
        guarantee = pipeline.settings.delivery_guarantee
        self._plans = [plan(told, each, learnt, guarantee=guarantee) for each in parallelism]

    def _first_rows(self, node: Node) -> pl.DataFrame | None:
        step: Any = node.step
        return self._sources[node.name].first_rows(read_options(step, step.schema))

    def _replaced(self, node: Node) -> Node:
        if node.step.source is not None:
            return replace(node, step=node.step.but(source=self._sources[node.name]))
        if node.step.sink is not None:
            return replace(node, step=node.step.but(sink=self._sinks[node.name]))
        return node

    def to_the_end(self) -> dict[str, list[dict[str, Any]]]:
        """Every run, then the rows of every sink."""
        for number in range(max(len(source.ends()) for source in self._sources.values())):
            self._world.run = number
            outcome = self._run()
            while outcome is None:
                outcome = self._run()
            if outcome.kind != "finished":
                raise JobFailed(outcome.message or outcome.kind, self._pipeline.name)
        written: dict[str, list[dict[str, Any]]] = {}
        for name, sink in self._sinks.items():
            written.setdefault(self._labels[name], []).extend(sink.rows())
        return written

    def _run(self) -> Outcome | None:
        """One process: to the end of the run (its outcome) or to a crash (None)."""
        self._world.waiting.clear()
        self._plan, *later = self._plans
        self._plans = later or self._plans
        runtime = LocalRuntime(
            self._job(), clock=self._clock, background=_Inline(), store=self._store
        )
        try:
            while runtime.loop.outcome is None:
                self._until_quiet(runtime)
                self._release(runtime)
        except Crash:
            return None
        runtime.close()
        return runtime.loop.outcome

    def _job(self) -> JobSpec:
        settings = self._pipeline.settings
        splits = {name: tuple(s.discover(bounded=True)) for name, s in self._sources.items()}
        return JobSpec(
            self._pipeline.name,
            self._plan,
            CheckpointSettings("memory://feed", settings.checkpoint_interval),
            splits,
            settings.delivery_guarantee,
            bounded=True,
            state_memory=settings.state_memory,
            state_directory=settings.state_directory or "",
        )

    def _until_quiet(self, runtime: LocalRuntime) -> None:
        """Until nothing has worked for a while of virtual time."""
        quiet = 0.0
        while quiet < QUIET_S and runtime.loop.outcome is None:
            pause = runtime.step()
            self._clock.advance(pause)
            quiet = quiet + pause if pause > 0 else 0.0

    def _release(self, runtime: LocalRuntime) -> None:
        """Let the markers pass at which readers wait: first their time, then the next row."""
        waiting = dict(self._world.waiting)
        if not waiting:
            return
        waits = [marker.seconds for marker in waiting.values() if isinstance(marker, Advance)]
        self._let_pass(runtime, max(waits, default=0.0))
        if len(waits) < len(waiting):
            self._until_checkpoint(runtime)
        self._world.released |= waiting.keys()
        for place in waiting:
            del self._world.waiting[place]

    def _let_pass(self, runtime: LocalRuntime, seconds: float) -> None:
        until = self._clock.now() + seconds
        while self._clock.now() < until and runtime.loop.outcome is None:
            self._clock.advance(min(LONGEST_STEP_S, until - self._clock.now()))
            self._settle(runtime)

    def _settle(self, runtime: LocalRuntime) -> None:
        """Let everything that is due now happen, without moving the clock."""
        while runtime.step() == 0 and runtime.loop.outcome is None:
            pass

    def _until_checkpoint(self, runtime: LocalRuntime) -> None:
        """Two more, since the first may have begun before the last row was processed."""
        interval = self._pipeline.settings.checkpoint_interval
        for _ in range(2):
            self._let_pass(runtime, interval)
            self._until_quiet(runtime)


def _sources(
    graph: LogicalGraph, rows: Mapping[str, Sequence[Item]], world: World
) -> dict[StepName, FedSource]:
    nodes = [node for node in graph.nodes if node.step.source is not None]
    found: dict[StepName, FedSource] = {}
    for given, items in rows.items():
        node = next((n for n in nodes if given in (n.name, *_topics(n))), None)
        if node is None:
            known = ", ".join(sorted({_label(n) for n in nodes}))
            raise ConfigurationError(f"no source {given!r}", what_to_do=f"there are: {known}")  # noqa: EM102
        found[node.name] = FedSource(node.name, items, world, node.step.source)
    for node in nodes:
        if node.name not in found:
            what = f"no rows for source {_label(node)!r}"
            raise ConfigurationError(what, str(node.origin), "give it a list, empty if need be")
    return found


def _label(node: Node) -> str:
    """What people call a source or sink: its topic if it has just one, else the step's name."""
    topics = _topics(node)
    return topics[0] if len(topics) == 1 and not node.named else node.name


def _topics(node: Node) -> Sequence[str]:
    end = node.step.source if node.step.source is not None else node.step.sink
    return topics_of(end)
