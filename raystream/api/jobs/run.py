"""From a Pipeline to a running job: storage, columns, splits, checks, plan, runtime."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from raystream.api.environment import doubts, in_effect, native_reader, told_by_environment
from raystream.api.jobs.page import OwnJob, page_of_run
from raystream.api.jobs.progress import Progress, say
from raystream.api.jobs.splits import discovered, source_of
from raystream.api.jobs.start import check_start, opened, start_of, tell_left_behind
from raystream.api.pipeline import Pipeline
from raystream.api.samples.learn import learn_schemas, learn_types
from raystream.errors import ConfigurationError, JobFailed, RaystreamError, Superseded
from raystream.graph.logical import LogicalGraph
from raystream.runtime.log_format import about

if TYPE_CHECKING:
    from raystream.data.schema import Schema
    from raystream.job.outcome import Outcome
    from raystream.job.spec import JobSpec
    from raystream.observe.status import StatusDocument
    from raystream.plan.physical import PhysicalPlan
    from raystream.runtime.ray.driver_process import DriverProcess
    from raystream.runtime.ray.foreground import Runtime
    from raystream.ui.beside import BesidePage

DEFAULT_STORAGE = "~/.raystream/checkpoints"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of `Pipeline.run`, which documents them.

    `ui`: with a page or without one; None: see `is_wanted`. `on_status` replaces the live line.
    """

    until: str | None = None
    local: bool = False
    address: str | None = None
    checkpoint_storage: str | None = None
    parallelism: int | None = None
    from_scratch: bool = False
    from_savepoint: str | None = None
    claim: bool = False
    allow_non_restored_state: bool = False
    accept_loss: bool = False
    ui: bool | None = None
    on_status: Callable[[StatusDocument], None] | None = None

    @property
    def bounded(self) -> bool:
        """Whether the run ends by itself."""
        return self.until is not None


def run(pipeline: Pipeline, options: RunOptions) -> Outcome:
    """Run a pipeline to its end; see `Pipeline.run`.

    Raises:
        ConfigurationError: the job as written cannot run.
        StorageError: its storage cannot be used.
    """
    check_start(options)
    with _early_driver(pipeline, options) as driver:
        return _run_with(pipeline, options, driver)


def _run_with(pipeline: Pipeline, options: RunOptions, driver: DriverProcess | None) -> Outcome:
    pipeline.plan(parallelism=1)  # report mistakes before any network call
    storage = storage_of(pipeline, options)
    try:
        with (
            about(job=pipeline.name),
            page_of_run(asked=options.ui, local=options.local, address=options.address) as page,
        ):
            say_where(pipeline, options, storage, page)
            ahead = Ahead(pipeline, options, storage)
            with _runtime(pipeline, options, ahead, driver) as runtime:
                job = ahead.job(runtime.cpus)
                if job is None:
                    return _outcome("finished", "there is nothing to read")
                return _explained(_run(job, runtime, options, page), pipeline, options)
    except KeyboardInterrupt:  # while it runs, signals are handled
        return _outcome("cancelled", "cancelled before it started; nothing was changed")


def successful(outcome: Outcome) -> Outcome:
    """Return the outcome unless it is an error: a script that ends quietly would look successful.

    Raises:
        ConfigurationError: the job as written cannot continue from where it is.
        JobFailed: the job failed.
        Superseded: a newer run took over.
    """
    if outcome.refused:
        raise ConfigurationError(outcome.message)
    if outcome.kind == "failed":
        raise JobFailed(outcome.message or "the job failed")
    if outcome.kind == "superseded":
        raise Superseded(outcome.message or "a newer run of the same job took over")
    return outcome


def storage_of(pipeline: Pipeline, options: RunOptions) -> str:
    """Address of the checkpoint storage; a path is absolute.

    The first of: the argument of `run`, $RAYSTREAM_CHECKPOINT_STORAGE, the pipeline's setting,
    ~/.raystream/checkpoints.

    Raises:
        ConfigurationError: the address contains a password.
    """
    from raystream.storage.open import refuse_credentials, refuse_mistyped

    settings = in_effect(pipeline.settings)
    given = options.checkpoint_storage or settings.checkpoint_storage or DEFAULT_STORAGE
    refuse_credentials(given)  # before it is shown
    refuse_mistyped(given)
    return given if "://" in given else os.path.abspath(os.path.expanduser(given))


def say_where(
    pipeline: Pipeline, options: RunOptions, storage: str, page: BesidePage | None = None
) -> None:
    """Print the first line of a run: checkpoints, page, environment, fast paths."""
    from raystream.plan.fast_paths import summary

    graph = pipeline.graph()
    by_command = ("checkpoint_storage", "parallelism")
    given = told_by_environment(graph, but=tuple(n for n in by_command if getattr(options, n)))
    place = f"{pipeline.name}: checkpoints in {_short(storage.rstrip('/'))}/{pipeline.name}/"
    shown = f"page at {page.address}" if page is not None else ""
    paths = summary(pipeline.plan(parallelism=1))
    parts = (place, native_reader(graph), shown, given, paths)
    say("; ".join(part for part in parts if part))
    for doubt in doubts(graph):
        say(f"warning: {doubt}")


def _short(path: str) -> str:
    """Abbreviate as people do; output kept in a notebook then reveals no home directory."""
    home = os.path.expanduser("~")
    return f"~{path.removeprefix(home)}" if path.startswith(f"{home}{os.sep}") else path


@contextmanager
def _early_driver(pipeline: Pipeline, options: RunOptions) -> Iterator[DriverProcess | None]:
    """Start the process that talks to Ray, if this run will have one."""
    if options.local or _is_alone(options):
        yield None
        return
    from raystream.runtime.ray.foreground import early_driver

    with early_driver(pipeline.name) as driver:
        yield driver


def _is_alone(options: RunOptions) -> bool:
    return not (options.local or options.address or os.environ.get("RAY_ADDRESS") or _has_ray())


@contextmanager
def _runtime(
    pipeline: Pipeline, options: RunOptions, ahead: Ahead, driver: DriverProcess | None
) -> Iterator[Runtime]:
    """Connect to Ray, or run in this process: on request, or if Ray is not installed.

    While Ray starts, the brokers are checked, and the job is prepared.
    """
    from raystream.api.checks.check import refuse_unreachable

    def ask() -> None:
        refuse_unreachable(pipeline, options.checkpoint_storage)

    alone = _is_alone(options)
    if alone:
        say("Ray is not installed: this run stays in one process; pip install 'ray[default]'")
    if options.local or alone:
        from raystream.runtime.local import InThisProcess

        ask()
        yield InThisProcess()
        return
    from raystream.runtime.ray.foreground import foreground

    def meanwhile() -> None:
        ask()
        ahead.prepare()

    with foreground(pipeline.name, options.address, say, meanwhile, driver) as runtime:
        yield runtime


def _has_ray() -> bool:
    return find_spec("ray") is not None


class Ahead:
    """Prepares a job before its runtime is there, where the runtime cannot change what is planned.

    Args:
        pipeline: The pipeline.
        options: Run options.
        storage: Address of the checkpoint storage.
    """

    def __init__(self, pipeline: Pipeline, options: RunOptions, storage: str) -> None:
        self._asked = (pipeline, options, storage)
        self._prepared: list[JobSpec | None] = []

    def prepare(self) -> None:
        """Prepare it, unless its parallelism is that of the cluster, or it may wait for records.

        Raises:
            ConfigurationError: as `prepare`.
        """
        from raystream.plan.planner import reads_to_learn

        pipeline, options, _ = self._asked
        width = options.parallelism or in_effect(pipeline.settings).parallelism
        if width and (options.bounded or not reads_to_learn(pipeline.graph())):
            self._prepared.append(prepare(*self._asked, width))

    def job(self, cpus: int) -> JobSpec | None:
        """The prepared job; None: there is nothing to read.

        Args:
            cpus: Of the cluster.

        Raises:
            ConfigurationError: as `prepare`.
        """
        return self._prepared[0] if self._prepared else prepare(*self._asked, cpus)


def prepare(pipeline: Pipeline, options: RunOptions, storage: str, cpus: int) -> JobSpec | None:
    """Plan the job after all external look-ups; None: there is nothing to read.

    Args:
        pipeline: The pipeline.
        options: Run options.
        storage: Address of the checkpoint storage.
        cpus: Of the cluster.

    Raises:
        ConfigurationError: the job as written cannot run.
    """
    from raystream.job.spec import CheckpointSettings, JobSpec
    from raystream.plan.circles import check_storage
    from raystream.plan.planner import plan, reads
    from raystream.plan.restore import other_sources, restore_states
    from raystream.storage.open import job_store, store_id

    graph = pipeline.graph()
    check_storage(reads(graph), storage, pipeline.name)
    store = job_store(storage, pipeline.name)
    savepoint = opened(options)
    base = start_of(store, savepoint, options)
    header = {} if base is None else base.job
    # before the types are learnt: a source without rows now then ends without rows, too
    ends = discovered(reads(graph), base, bounded=True, say=say) if options.bounded else {}
    learnt = _learnt(graph, header, options)
    splits = ends or discovered(reads(graph), base, bounded=options.bounded, say=say)
    if options.bounded and _nothing_known(graph, learnt):
        return None
    settings = in_effect(pipeline.settings)
    caps = {node.name: source_of(node).max_parallelism() for node in reads(graph)}
    width = options.parallelism or settings.parallelism or _default(cpus, caps)
    guarantee = settings.delivery_guarantee
    planned = plan(graph, width, learnt, caps=caps, guarantee=guarantee)
    if base is not None:
        restore_states(base, planned, allow_removed=options.allow_non_restored_state)
        tell_left_behind(base, savepoint, planned, store, say)
        for moved in other_sources(header, planned):
            say(f"warning: {moved}")
    else:
        _warn_of_times(planned, pipeline.name)
    identity = store_id(store)
    _check_sinks(graph, pipeline.name, identity)
    checkpoint = CheckpointSettings(
        storage,
        settings.checkpoint_interval,
        settings.checkpoint_min_pause,
        settings.checkpoint_timeout,
    )
    return JobSpec(
        pipeline.name,
        planned,
        checkpoint,
        splits,
        delivery_guarantee=guarantee,
        bounded=options.bounded,
        from_scratch=options.from_scratch,
        accept_loss=options.accept_loss,
        savepoint=None if savepoint is None else savepoint.address,
        claim=options.claim,
        allow_non_restored_state=options.allow_non_restored_state,
        store_id=identity,
        state_memory=settings.state_memory,
        state_directory=settings.state_directory or "",
        run=secrets.token_hex(8),  # by it a restarted coordinator recognises what this run has done
    )


def _warn_of_times(planned: PhysicalPlan, job: str) -> None:
    """Warn of suspicious event time in the first records."""
    from raystream.api.checks.suspect import suspicion
    from raystream.api.samples.sample_read import look_at

    for _, spec in planned.steps():
        if spec.read is None or spec.step.event_time is None:
            continue
        try:
            look = look_at(spec.step, spec.read, job, spec.name, records=20, seconds=2.0)
        except (RaystreamError, OSError):
            continue  # the run itself reports what cannot be read
        doubt = suspicion(spec.step, look, time.time() * 1000)
        if doubt is not None:
            say(f"warning: {spec.step.source.describe()}: {doubt[0]}; {doubt[1]}")


def _learnt(
    graph: LogicalGraph, header: Mapping[str, Any], options: RunOptions
) -> dict[str, Schema]:
    from raystream.plan.planner import reads_to_learn
    from raystream.plan.restore import schemas_of

    missing, known = reads_to_learn(graph), schemas_of(header)
    reads = learn_schemas(missing, known, bounded=options.bounded, say=say, wait=time.sleep)
    return reads | learn_types(graph, reads, header, bounded=options.bounded)


def _nothing_known(graph: LogicalGraph, learnt: Mapping[str, Schema]) -> bool:
    """Whether every source has undeclared columns and no record to learn them from."""
    from raystream.plan.planner import reads, reads_to_learn

    every = reads_to_learn(graph)
    none = not any(node.name in learnt for node in every)
    return none and len(reads(graph)) == len(every)


def _default(cpus: int, caps: Mapping[str, int | None]) -> int:
    """Default parallelism: what the cluster has, at most what the widest source can use."""
    known = [cap for cap in caps.values() if cap is not None]
    if len(known) < len(caps) or not known:
        return max(1, cpus)
    return max(1, min(cpus, max(known)))


def _check_sinks(graph: LogicalGraph, job: str, identity: str) -> None:
    from raystream.plan.planner import writes

    for node in writes(graph):
        step: Any = node.step
        for warning in step.sink.check(job, identity, node.name):
            say(f"warning: {warning}")


def _run(job: JobSpec, runtime: Runtime, options: RunOptions, page: BesidePage | None) -> Outcome:
    progress = Progress()
    show: Callable[[StatusDocument], None] = options.on_status or progress
    try:
        if page is None:
            return runtime.run(job, show)
        own = OwnJob(job.name, runtime, page)

        def both(status: StatusDocument) -> None:
            own.take(status)
            show(status)

        return runtime.run(job, both)
    finally:
        progress.end()


def _explained(outcome: Outcome, pipeline: Pipeline, options: RunOptions) -> Outcome:
    """Add what a check of the brokers finds, if the run failed for an external reason."""
    from raystream.api.checks.check import why_it_failed

    if outcome.kind != "failed" or outcome.refused:
        return outcome
    why = why_it_failed(pipeline, options.checkpoint_storage)
    told = f"{outcome.message}\ncheck: {why}" if why and why not in outcome.message else ""
    return replace(outcome, message=told) if told else outcome


def _outcome(kind: Any, message: str) -> Outcome:
    from raystream.job.outcome import Outcome

    return Outcome(kind, message)
