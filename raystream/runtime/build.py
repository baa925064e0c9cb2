"""Build a Task from a SubtaskSpec and ports: the only place where steps become running parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import replace

from raystream.context import Points, SubtaskContext, nowhere, unsampled
from raystream.ids import ChannelId, StepName
from raystream.job.spec import OpenRequest, RestoreRefs
from raystream.observe.metrics import TaskMetrics
from raystream.observe.samples import Samples
from raystream.operators.operator import Operator, Restored, StepState, create
from raystream.plan.physical import ChainSpec, StepSpec
from raystream.runtime.chain import Chain, StepOutput
from raystream.runtime.channels.base import ChannelReader, ChannelWriter
from raystream.runtime.exchange import Outputs, outputs_of
from raystream.runtime.first_rows import first_check
from raystream.runtime.gate import InputGate
from raystream.runtime.input import Input
from raystream.runtime.loading import Loading
from raystream.runtime.origins import origins_of
from raystream.runtime.pace import Pace
from raystream.runtime.pace_start import start_of
from raystream.runtime.sink import SinkOperator
from raystream.runtime.source import SourceInput
from raystream.runtime.state import SubtaskState
from raystream.runtime.tail import Taps
from raystream.runtime.task import Report, Task
from raystream.storage.base import Store
from raystream.storage.segments import StoredSegments
from raystream.time.clock import Clock


def build_task(
    request: OpenRequest,
    store: Store,
    readers: Mapping[ChannelId, ChannelReader],
    writers: Mapping[ChannelId, ChannelWriter],
    *,
    clock: Clock,
    background: Executor,
    report: Report,
    point: Points = nowhere,
    wake: Callable[[], None] = lambda: None,
) -> Task:
    """Build the task of one subtask for one attempt, with its state restored, ready to step.

    Args:
        request: The subtask, and what it restores.
        store: The job's storage, from which state is read.
        readers: Receiving ends of all channels into the subtask.
        writers: Sending ends of all channels out of it.
        clock: Clock of the task.
        background: Runs blocking requests of its steps.
        report: Receives its snapshots.
        point: Named points where tests may kill.
        wake: Notifies the processing loop that there may be work.
    """
    chain = request.job.plan.chain(request.subtask.chain)
    metrics = TaskMetrics([step.name for step in chain.steps], Samples(clock))
    state = SubtaskState(request)
    ctx = SubtaskContext(
        job=request.job.name,
        store_id=request.store_id,
        attempt=request.attempt,
        step="",
        subtask=request.subtask,
        parallelism=chain.parallelism,
        clock=clock,
        background=background,
        point=point,
        wake=wake,
        bound=state.bound,
    )
    builder = _Builder(request, store, chain, ctx, metrics, state)
    outputs = outputs_of(request.job.plan.outputs_of(chain.name), writers)
    try:
        return builder.task(readers, outputs, report)
    except BaseException:
        state.close()
        raise


class _Builder:
    def __init__(
        self,
        request: OpenRequest,
        store: Store,
        chain: ChainSpec,
        ctx: SubtaskContext,
        metrics: TaskMetrics,
        state: SubtaskState,
    ) -> None:
        self._request = request
        self._store = store
        self._chain = chain
        self._ctx = ctx
        self._metrics = metrics
        self._state = state

    def task(
        self, readers: Mapping[ChannelId, ChannelReader], outputs: Outputs, report: Report
    ) -> Task:
        specs = [spec for spec in self._chain.steps if spec.step.source is None]
        operators = [(spec.name, self._operator(spec)) for spec in specs]
        first = operators[0] if operators else None
        source = self._chain.source
        checks = [first_check(spec) for spec in specs]
        name = source.name if source else ""
        head = StepOutput(name, outputs, self._count, first, checks[0] if checks else None)
        links, output = {name: head}, head
        for index, (name, operator) in enumerate(operators):
            follower = operators[index + 1] if index + 1 < len(operators) else None
            check = checks[index + 1] if index + 1 < len(checks) else None
            before, output = output, StepOutput(name, outputs, self._count, follower, check)
            links[name] = before if isinstance(operator, SinkOperator) else output
            operator.open(self._context(specs[index]), output)
        by_name = {spec.name: (spec, links[spec.name]) for spec in specs}

        def remake(step: StepName) -> Operator:
            spec, output = by_name[step]
            again = self._operator(spec)
            again.open(self._context(spec), output)
            return again

        chain = Chain(operators, head, remake)
        chain.restore(self._restored())
        start = start_of(self._request.job.plan, self._chain)
        me = self._ctx
        fed = (
            self._source(source, head)
            if source
            else InputGate(
                readers,
                me.clock.now,
                gathers=start.calls,
                ports=self._ports(),
                loading=self._loading(readers),
            )
        )
        return Task(
            me.subtask,
            fed,
            chain,
            outputs,
            clock=me.clock,
            report=report,
            metrics=self._metrics,
            point=me.point,
            wake=me.wake,
            taps=Taps(self._named(links), me.clock),
            pace=Pace(start),
            release=self._state.close,
        )

    def _ports(self) -> dict[int, int]:
        into = self._request.job.plan.inputs_of(self._chain.name)
        return {exchange.id: exchange.port for exchange in into}

    def _loading(self, channels: Iterable[ChannelId]) -> Loading | None:
        loads = self._chain.steps[0].step.loads
        if not loads:
            return None
        ports = self._ports()
        return Loading([c for c in channels if ports[c.exchange] in loads], loads[0])

    def _named(self, links: Mapping[StepName, StepOutput]) -> dict[StepName, StepOutput]:
        """Links by step name, also by the names of steps that were fused into others."""
        found = dict(links)
        for spec in self._chain.steps:
            found.update(dict.fromkeys(spec.also, links[spec.name]))
        return found

    def _context(self, spec: StepSpec) -> SubtaskContext:
        metrics, step = self._metrics, spec.name
        sample = metrics.samples.of(step) if metrics.samples else unsampled
        mine = self._ctx.for_step(step, metrics.counter(step), sample)
        keys = spec.inputs[0].key if spec.inputs else ()
        return replace(mine, origin=str(spec.origin), keys=keys)

    def _count(self, step: StepName, name: str, n: int) -> None:
        if step:
            self._metrics.add(step, name, n)

    def _operator(self, spec: StepSpec) -> Operator:
        if spec.write is not None:
            return SinkOperator(spec.step.sink, spec.write, self._metrics.latency(spec.name))
        return create(spec.step)

    def _source(self, spec: StepSpec, output: StepOutput) -> Input:
        request = self._request
        refs = request.restore.get(spec.name)
        return SourceInput(
            self._context(spec),
            spec,
            output,
            request.splits.get(spec.name, ()),
            self._load(refs) if refs is not None else None,
            bounded=request.job.bounded,
            origins=origins_of(self._chain),
        )

    def _restored(self) -> dict[StepName, Restored]:
        mine = {spec.name for spec in self._chain.steps if spec.step.source is None}
        refs = self._request.restore
        return {step: self._load(refs[step]) for step in mine if step in refs}

    def _load(self, refs: RestoreRefs) -> Restored:
        load = self._state.load
        states = [
            StepState(StoredSegments(self._store, stored.segments, load), stored.header)
            for stored in refs.states
        ]
        return Restored(states, refs.redistribute)
