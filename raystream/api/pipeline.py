"""`rs.Pipeline`: collects the steps that the user's verbs add; uses no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raystream.api.arguments import checked, chosen
from raystream.api.ends import checked_source
from raystream.api.event_time import checked_time, checked_unit, checked_watermark
from raystream.api.names import automatic, check_free, check_name, with_final_names
from raystream.api.origin import at_call, origin_of_call, wrong
from raystream.api.peers import no_verb_of_pipeline
from raystream.api.read_changes import checked_changes, table
from raystream.api.registered_steps import RegisteredSteps
from raystream.api.settings import Settings
from raystream.api.time_zones import known_zone
from raystream.graph.logical import Edge, LogicalGraph, Node
from raystream.graph.policies import DeliveryGuarantee, ErrorPolicy, WatermarkStrategy
from raystream.operators.read.step import Read
from raystream.operators.step import Step
from raystream.units import Duration, Size, seconds, state_size

if TYPE_CHECKING:
    import polars as pl

    from raystream.api.jobs.job import Job
    from raystream.api.stream import Stream
    from raystream.data.schema import Schema
    from raystream.job.outcome import Outcome
    from raystream.plan.physical import PhysicalPlan


class Pipeline:
    """A job: what is read, how it is processed, where it is written.

    Args:
        name: Identity of the job in storage and transactions: 1 to 60 of A-Z a-z 0-9 _ -.
        delivery_guarantee: `exactly_once`, `at_least_once` or `none`.
        checkpoint_interval: Time between checkpoints; output is committed with each.
        checkpoint_storage: Directory or s3://, gs://, az:// URL; the job lives in `<it>/<name>/`.
            Default: ~/.raystream/checkpoints.
        checkpoint_timeout: A checkpoint that takes longer fails the attempt.
        checkpoint_min_pause: Least time between the end of one checkpoint and the next.
        parallelism: Subtasks of each chain. Default: what the cluster has, at most the partitions
            of the source.
        state_memory: Memory for the state of each subtask, as `"1GiB"`; what exceeds it is spilled
            to local disk. Default: half of the node's, shared by the job's subtasks.
        state_directory: Local directory to spill to. Default: `raystream-state-<uid>` in $TMPDIR.

    $RAYSTREAM_<OPTION>, if set, overrides these (see api.environment).

    Raises:
        ConfigurationError: a wrong name, word, duration or size.

    >>> p = Pipeline("requests-per-minute", checkpoint_interval="5s")
    >>> p.name
    'requests-per-minute'
    """

    @checked
    def __init__(
        self,
        name: str,
        *,
        delivery_guarantee: str = "exactly_once",
        checkpoint_interval: Duration = "10s",
        checkpoint_storage: str | None = None,
        checkpoint_timeout: Duration = "5m",
        checkpoint_min_pause: Duration = "0s",
        parallelism: int | None = None,
        state_memory: Size | None = None,
        state_directory: str | None = None,
    ) -> None:
        self.name = check_name(name, "pipeline")
        with at_call():
            interval = seconds(checkpoint_interval, "checkpoint_interval")
            timeout = seconds(checkpoint_timeout, "checkpoint_timeout")
            pause = seconds(checkpoint_min_pause, "checkpoint_min_pause")
            memory = None if state_memory is None else state_size(state_memory)
        guarantee = chosen(delivery_guarantee, "delivery_guarantee", DeliveryGuarantee)
        if interval <= 0:
            text = "checkpoint_interval must be more than 0"
            raise wrong(text)
        self.settings = Settings(
            guarantee,
            interval,
            checkpoint_storage,
            timeout,
            pause,
            check_parallelism(parallelism),
            memory,
            state_directory,
        )
        self._steps = RegisteredSteps()
        self._schemas: dict[Edge, Schema | None] = {}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Only called for missing attributes: the error names what was probably meant."""
            raise no_verb_of_pipeline(name, dir(type(self)))

    def __repr__(self) -> str:
        """Name and size."""
        return f"Pipeline({self.name!r}, {len(self._steps)} steps)"

    def _repr_html_(self) -> str:
        """The picture that notebooks show; also for an incomplete pipeline."""
        from raystream.api.notebook.draw import picture

        graph, error = self._drawable()
        return picture(graph, f"not complete: {error}" if error else "")

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """The text that a notebook shows: the plan, or the steps so far."""
        from raystream.api.notebook.draw import outline
        from raystream.plan.explain import text

        graph, error = self._drawable()
        return {"text/plain": outline(graph, error) if error else text(self.plan(), self.name)}

    def _drawable(self) -> tuple[LogicalGraph, Exception | None]:
        """The steps so far, and the error if they cannot be planned."""
        nodes = tuple(self._steps.nodes())
        try:
            self.plan()
            return self.graph(), None
        except Exception as error:  # noqa: BLE001 - a cell that only displays `p` never fails
            return LogicalGraph(self.name, nodes), error

    @checked
    def read(
        self,
        source: Any,
        *,
        event_time: Any = None,
        event_time_unit: str | None = None,
        time_zone: str | None = None,
        watermark: WatermarkStrategy | None = None,
        schema: Any = None,
        errors: str = "fail",
        changes: str | None = None,
        key: str | Sequence[str] | None = None,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> Stream:
        """Read rows of a source.

        Args:
            source: `kafka.topic(..)`, `rs.Files(..)`, `rs.Rows(..)`, `rs.Datagen(..)`.
            event_time: Column, field within one (`"meta.ts"`), SQL text or rs.col expression.
                Default: the record's own timestamp.
            event_time_unit: How event time is written: `s`, `ms`, `us`, `ns` (numbers since 1970)
                or `iso8601`. Default: what the declared schema says (`timestamp_s`, .., `iso8601`),
                else `ms`.
            time_zone: Of event time that is written without one: `Europe/Berlin`.
            watermark: `rs.Watermark(..)`. Default: 10 s out of order, idle after 30 s.
            schema: dict, dataclass, TypedDict or Polars schema. Default: learnt once from the
                first records, and kept with the checkpoint.
            errors: Records that do not decode or do not fit the schema: `fail`, `skip`, or `dlq`
                (then write `.errors` somewhere).
            changes: Its records change rows of a table: `upsert` (a compacted topic), `debezium`
                or `log`; gives a stream of changes, see docs/changes.md.
            key: With `changes`: the column that identifies a row, or several.
            name: Identity of this step in checkpoints.
            parallelism: Subtasks of this step; at most one per partition has work.

        >>> p = Pipeline("example")
        >>> p.read(rs.Rows([{"ts": 1, "ip": "a"}]), event_time="ts", name="requests")
        <Stream requests>
        """
        from raystream.api.stream import Stream

        source = checked_source(source)
        changed, keys = checked_changes(changes, key, source, event_time)
        columns = None if schema is None else declared(schema)
        step = Read(
            source,
            None if event_time is None else checked_time(event_time),
            columns,
            checked_watermark(watermark),
            chosen(errors, "errors", ErrorPolicy),
            checked_unit(event_time_unit, event_time, {} if columns is None else columns.units),
            None if time_zone is None else known_zone(time_zone),
            changed,
            keys,
        )
        edge = self.add(step, (), name=name, parallelism=parallelism)
        return table(self, edge, keys, name, parallelism) if keys else Stream(self, edge)

    @checked
    def run(
        self,
        *,
        until: str | None = None,
        local: bool = False,
        address: str | None = None,
        checkpoint_storage: str | None = None,
        parallelism: int | None = None,
        from_scratch: bool = False,
        from_savepoint: str | None = None,
        claim: bool = False,
        allow_non_restored_state: bool = False,
        accept_loss: bool = False,
    ) -> Outcome:
        """Run the job to its end.

        Returns:
            How it ended: finished, or stopped.

        Args:
            until: None: run forever. `"latest"`: up to what is there now; closes every window,
                commits.
            local: One process without Ray.
            address: Ray cluster. Default: RAY_ADDRESS, a head on this machine, else a private one.
            checkpoint_storage: Overrides the pipeline's.
            parallelism: Overrides the pipeline's.
            from_scratch: Ignore the last checkpoint; otherwise the job continues from it.
            from_savepoint: Address of a savepoint to start from, also one of a job of another name,
                parallelism or with fewer steps. It may be deleted after the first checkpoint.
            claim: The savepoint is deleted after the first checkpoint.
            allow_non_restored_state: Drop the state of steps that the job no longer has.
            accept_loss: Continue without output that the broker has aborted (after a run that
                failed with that message); the list of these records is kept in the storage.

        Raises:
            ConfigurationError: the job as written cannot run.
            JobFailed: it ended with an error that a restart does not fix.
            Superseded: a newer run of the same job took over.

        >>> p, out = Pipeline("example", checkpoint_storage="memory://run"), rs.Collect()
        >>> p.read(rs.Rows([{"n": 1}, {"n": 2}])).filter("n > 1").write(out)
        >>> outcome = p.run(until="latest", local=True)
        >>> outcome.kind, outcome.rows_in, outcome.rows_out, out.rows()
        ('finished', 2, 1, [{'n': 2}])
        """
        from raystream.api.jobs.run import RunOptions, run, successful

        if until is not None:
            chosen(until, "until", ["latest"])
        options = RunOptions(
            until=until,
            local=local,
            address=address,
            checkpoint_storage=checkpoint_storage,
            parallelism=check_parallelism(parallelism),
            from_scratch=from_scratch,
            from_savepoint=from_savepoint,
            claim=claim,
            allow_non_restored_state=allow_non_restored_state,
            accept_loss=accept_loss,
        )
        return successful(run(self, options))

    @checked
    def submit(
        self,
        *,
        until: str | None = None,
        address: str | None = None,
        checkpoint_storage: str | None = None,
        parallelism: int | None = None,
        from_scratch: bool = False,
        from_savepoint: str | None = None,
        claim: bool = False,
        allow_non_restored_state: bool = False,
        accept_loss: bool = False,
    ) -> Job:
        """Start the job on a Ray cluster and return at once; made for notebooks.

        On a long-running cluster (`ray start --head`) the job continues when this process ends, and
        `rs.job(name)` finds it again. If there is none, a private one is started, and the job ends
        with this process. If the same job is already running, it is returned as it is.

        Returns:
            The running job.

        Args:
            until: None: run forever. `"latest"`: up to what is there now; closes every window,
                commits.
            address: See `run`, also for all that follow.
            checkpoint_storage: Overrides the pipeline's.
            parallelism: Overrides the pipeline's.
            from_scratch: Ignore the last checkpoint; otherwise the job continues from it.
            from_savepoint: Address of a savepoint to start from.
            claim: The savepoint is deleted after the first checkpoint.
            allow_non_restored_state: Drop the state of steps that the job no longer has.
            accept_loss: Continue without output that the broker has aborted.

        Raises:
            ConfigurationError: the job as written cannot run, or another job of this name runs.

        >>> p = Pipeline("requests-per-minute")
        >>> p.read(rs.Datagen()).write(rs.Files("out"))
        >>> p.submit()
        Job('requests-per-minute')
        """
        from raystream.api.jobs.run import RunOptions
        from raystream.api.jobs.submit import submit

        if until is not None:
            chosen(until, "until", ["latest"])
        options = RunOptions(
            until=until,
            address=address,
            checkpoint_storage=checkpoint_storage,
            parallelism=check_parallelism(parallelism),
            from_scratch=from_scratch,
            from_savepoint=from_savepoint,
            claim=claim,
            allow_non_restored_state=allow_non_restored_state,
            accept_loss=accept_loss,
        )
        return submit(self, options)

    @checked
    def show(self, limit: int = 10, *, sink: str | None = None, timeout: Duration = "10s") -> None:
        """Show the first rows that would enter each sink, computed here from a sample.

        Reads what the sources hold now (a Kafka topic from its first record even if the job would
        start with the latest) until there are enough rows or the time is up; then event time goes
        to infinity, which closes the windows, the last of them with only part of their rows. Writes
        to no sink, commits nothing, has no consumer group and no checkpoints.

        Args:
            limit: Rows of each sink.
            sink: Only this one: its topic or the name of its step.
            timeout: Maximum time to read.

        Raises:
            ConfigurationError: the job as written cannot run, or has no such sink.
            JobFailed: a step failed.

        >>> p = Pipeline("example")
        >>> p.read(rs.Rows([{"n": 1}, {"n": 2}])).filter("n > 1").write(rs.Collect(), name="out")
        >>> p.show()
        out: 1 row
        ...
        """
        from raystream.api.notebook.tables import show
        from raystream.api.samples.sample import sample

        show(sample(self, sink, limit, timeout))

    @checked
    def collect(
        self, limit: int = 1000, *, sink: str | None = None, timeout: Duration = "10s"
    ) -> pl.DataFrame:
        """Collect the rows that `show` shows, as a Polars frame.

        Args:
            limit: Maximum number of rows.
            sink: Which one, if there are several: its topic or the name of its step.
            timeout: Maximum time to read.

        Raises:
            ConfigurationError: as `show`; or there are several sinks and none was named.
            JobFailed: a step failed.

        >>> import raystream as rs
        >>> p = rs.Pipeline("job")
        >>> p.read(rs.Rows([{"n": 1}, {"n": 2}])).filter("n > 1").write(rs.Collect())
        >>> p.collect().to_dicts()
        [{'n': 2}]
        """
        from raystream.api.samples.sample import only_sink, sample

        (found,) = sample(self, sink or only_sink(self), limit, timeout)
        return found.frame

    @checked
    def explain(self, *, parallelism: int | None = None, format: str = "text") -> str:  # noqa: A002
        """Chains, subtasks and exchanges as text or mermaid; uses no network.

        Args:
            parallelism: Overrides the pipeline's (default here: 1).
            format: `text` or `mermaid`.

        >>> p = Pipeline("example")
        >>> p.read(rs.Rows([{"n": 1}]), name="read").write(rs.Collect(), name="out")
        >>> print(p.explain())
        example: 1 chain...
        """
        from raystream.plan.explain import mermaid, text

        kind = chosen(format, "format", ["text", "mermaid"])
        plan = self.plan(parallelism=check_parallelism(parallelism))
        return mermaid(plan) if kind == "mermaid" else text(plan, self.name)

    def plan(
        self, *, parallelism: int | None = None, learnt: Mapping[str, Any] | None = None
    ) -> PhysicalPlan:
        """Physical plan, made without network; unknown source schemas are open.

        Args:
            parallelism: Overrides the pipeline's; 1 if neither is given.
            learnt: Schemas by name of the reading step.

        >>> p = Pipeline("example")
        >>> p.read(rs.Rows([{"ip": "a"}]), name="read").write(rs.Collect(), name="out")
        >>> [step.name for _, step in p.plan().steps()]
        ['read', 'out']
        """
        from raystream.api.environment import in_effect
        from raystream.plan.planner import plan

        settings = in_effect(self.settings)
        width = parallelism or settings.parallelism or 1
        guarantee = settings.delivery_guarantee
        return plan(self.graph(), width, learnt or {}, guarantee=guarantee)

    def graph(self) -> LogicalGraph:
        """The steps so far, each with its final name.

        >>> p = Pipeline("example")
        >>> p.read(rs.Rows([{"ip": "a"}])).write(rs.Collect())
        >>> [node.name for node in p.graph().nodes]
        ['read-memory', 'write-memory']
        """
        return LogicalGraph(self.name, with_final_names(self._steps.nodes()))

    def add(
        self,
        step: Step,
        inputs: Sequence[Edge],
        *,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> Edge:
        """Add a step and return its main output. For verbs, not for users."""
        origin = origin_of_call()
        label = automatic(step) if name is None else check_name(name, "step")
        self._steps.enter()
        if name is not None:
            check_free(label, self._steps.certain())
        node = Node(
            id=-1,
            name=label,
            step=step,
            origin=origin,
            inputs=tuple(inputs),
            parallelism=check_parallelism(parallelism),
            named=name is not None,
        )
        outputs = self._outputs(node)
        if step.counts_rows:
            from raystream.plan.finality import check_final

            check_final((*self._steps.present(), node))
        kept = self._steps.add(node)
        self._schemas.update({Edge(kept.id, tag): schema for tag, schema in outputs.items()})
        return Edge(kept.id)

    def schema(self, edge: Edge) -> Schema | None:
        """Columns of an output, as far as they are known at build time."""
        return self._schemas.get(edge)

    def node(self, edge: Edge) -> Node:
        """The node of an output."""
        return self._steps.node(edge)

    def _outputs(self, node: Node) -> Mapping[str, Schema]:
        """Columns of each output of a step; empty if they are not known at build time."""
        inputs = [self._schemas.get(edge) for edge in node.inputs]
        known = [schema for schema in inputs if schema is not None]
        if len(known) < len(inputs) or (not inputs and node.step.untyped()):
            return {}
        from raystream.plan.schemas import node_outputs, read_columns, with_columns

        if node.step.source is not None:
            node = with_columns(node, read_columns(node.step, node.step.schema))
        return node_outputs(node, known)


def declared(schema: Any) -> Schema:
    """Parse a declared schema; wrong ones are errors at the user's line."""
    from raystream.data.schema import Schema

    with at_call():
        return Schema.of(schema)


def check_parallelism(value: int | None) -> int | None:
    """Check the parallelism.

    Raises:
        ConfigurationError: not a positive whole number.
    """
    if value is not None and (not isinstance(value, int) or value < 1):
        text = f"parallelism {value!r} is not a number of subtasks"
        raise wrong(text, "write 1 or more, or leave it out")
    return value
