"""`p.submit()`: run a job in the background; running the same cell again changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from raystream.api.checks.check import refuse_unreachable
from raystream.api.jobs.fingerprint import fingerprint
from raystream.api.jobs.job import Job
from raystream.api.jobs.progress import patiently, say
from raystream.api.jobs.run import RunOptions, prepare, say_where, storage_of
from raystream.api.jobs.start import check_start
from raystream.api.origin import wrong
from raystream.job.outcome import Outcome

if TYPE_CHECKING:
    from raystream.api.pipeline import Pipeline
    from raystream.runtime.ray.asked import Asked


def submit(pipeline: Pipeline, options: RunOptions) -> Job:
    """Start a pipeline on Ray; see `Pipeline.submit`.

    Raises:
        ConfigurationError: the job as written cannot run, or another job of this name runs.
    """
    from raystream.runtime import registry
    from raystream.runtime.ray.cluster import connect, cpus, gcs_address, would_be_private
    from raystream.runtime.ray.entry import submit as launch
    from raystream.runtime.ray.remote_job import RemoteJob

    check_start(options)
    pipeline.plan(parallelism=1)  # report mistakes before any network call
    storage = storage_of(pipeline, options)
    same = _same(pipeline, options, storage)
    refuse_unreachable(pipeline, options.checkpoint_storage)
    if would_be_private(options.address):
        return _supervised(pipeline, options, storage, same)
    with patiently("starting Ray, or joining the cluster", after=1.5):
        private = connect(options.address)
    running = RemoteJob.find(pipeline.name, options.address)
    if running is not None and running.ask("outcome") is None:
        return _running(Job(running, pipeline.name), running, same)
    say_where(pipeline, options, storage)
    spec = prepare(pipeline, options, storage, cpus())
    if spec is None:
        return Job(None, pipeline.name, Outcome("finished", "there is nothing to read"))
    coordinator = launch(replace(spec, fingerprint=same), options.address)
    registry.note(pipeline.name, storage, gcs_address() if private else "")
    where = "in the Ray of this process, and ends with it" if private else "on the cluster"
    say(f"{pipeline.name}: runs {where}")
    return Job(RemoteJob(pipeline.name, coordinator, options.address), pipeline.name)


def _supervised(pipeline: Pipeline, options: RunOptions, storage: str, same: str) -> Job:
    """Run on a private Ray that this process keeps alive but is not connected to."""
    from raystream.runtime.ray.supervised import SupervisedJob, job_of

    known = job_of(pipeline.name)
    if known is not None and known.ask("outcome") is None:
        return _running(Job(known, pipeline.name), known, same)
    say_where(pipeline, options, storage)
    job = SupervisedJob(pipeline.name, say)
    width = job.attach()
    try:
        spec = prepare(pipeline, options, storage, width)
        if spec is not None:
            job.start(replace(spec, fingerprint=same))
    except BaseException:
        job.close()
        raise
    if spec is None:
        job.close()
        return Job(None, pipeline.name, Outcome("finished", "there is nothing to read"))
    say(f"{pipeline.name}: runs in a private Ray of this process, and ends with it")
    return Job(job, pipeline.name)


def _same(pipeline: Pipeline, options: RunOptions, storage: str) -> str:
    """Fingerprint of a submitted job; ignores where the run starts from."""
    steps = [(n.name, n.step, n.inputs, n.parallelism) for n in pipeline.graph().nodes]
    return fingerprint(steps, pipeline.settings, storage, options.parallelism, options.until)


def _running(job: Job, remote: Asked, same: str) -> Job:
    """Return the job that already runs, if it is the one that was submitted.

    Raises:
        ConfigurationError: it is a different job.
    """
    if remote.ask("fingerprint") == same:
        say(f"{job.name} is already running, unchanged: this is that job")
        return job
    text = f"job {job.name} runs already, and is not the same as this pipeline"
    advice = f"rs.job({job.name!r}).stop() and submit again: it continues from the last checkpoint"
    raise wrong(text, f"{advice}; or give this pipeline another name")
