"""Verbs on jobs that run on a Ray cluster: list, status, stop, cancel, savepoint, checkpoint.

None of them starts its own Ray: if there is no cluster, there are no jobs.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from raystream.cli import options
from raystream.cli.exits import GOOD
from raystream.exit_codes import ExitCode

if TYPE_CHECKING:
    from raystream.api.jobs.job import Job
    from raystream.job.outcome import Outcome
    from raystream.job.past import PastRun

DEFAULT = ""
"""Value of `--savepoint` without an address."""


def add_job_verbs(app: click.Group) -> None:
    """Register the verbs of this module.

    Args:
        app: The command.
    """
    for verb in (list_jobs, status, stop, cancel, savepoint, checkpoint):
        app.add_command(verb)


@click.command("list")
@click.option("--all", "past", is_flag=True, help="Also runs that have ended, the newest first")
@options.past_storage
@options.address
@options.as_json
def list_jobs(
    past: bool, checkpoint_storage: str | None, address: str | None, as_json: bool
) -> None:
    """The jobs of a Ray cluster, and those of this user on a private Ray of this machine."""
    from raystream.cli.console import table
    from raystream.cli.listing import LOOK_S, as_document, as_rows, past_document, past_rows
    from raystream.errors import ConfigurationError
    from raystream.runtime.ray.overview import looks

    try:
        found = looks(address, LOOK_S)
    except ConfigurationError:
        if not past or address is not None:
            raise
        found = []
    runs = _past(None, checkpoint_storage, {now.run for now, _ in found}) if past else []
    if as_json:
        documents = [as_document(now, before) for now, before in found]
        print(json.dumps([*documents, *map(past_document, runs)], indent=1))
    elif past and (found or runs):
        table(past_rows(found, runs))
    elif found:
        table(as_rows(found))
    else:
        _say("no job has run there" if past else "no job runs there")


def _past(name: str | None, storage: str | None, living: set[str]) -> list[PastRun]:
    """Ended runs, newest first."""
    from raystream.api.jobs.past import all_past, past_of

    found = all_past(storage) if name is None else past_of(name, storage)
    return [run for run in found if run.run not in living]


@click.command()
@options.name
@click.option("--watch", is_flag=True, help="Until the job ends; exits with its exit code")
@options.past_storage
@options.address
@options.as_json
def status(
    name: str, watch: bool, checkpoint_storage: str | None, address: str | None, as_json: bool
) -> int:
    """How a job is, and what it waits for; of one that has ended, how its last run ended."""
    from raystream.cli.listing import LOOK_S, show
    from raystream.errors import ConfigurationError

    if watch and as_json:
        what = "--watch and --json cannot be combined"
        raise click.UsageError(what)
    try:
        job = _job(name, address)
    except ConfigurationError:
        over = _past(name, checkpoint_storage, set())
        if not over:
            raise
        return _tell_past(over[0], watch=watch, as_json=as_json)
    if watch:
        return _watch(job)
    now = job.status()
    if as_json:
        print(json.dumps(now.to_dict(), indent=1))
        return GOOD
    before = now
    if now.state == "running":
        time.sleep(LOOK_S)
        now = job.status()
    show(now, before)
    return GOOD


@click.command()
@click.argument("name", required=False, metavar="NAME", help="Name of the job")
@click.option("--drain", is_flag=True, help="Close every window first: event time goes to its end")
@click.option(
    "--savepoint",
    is_flag=False,
    flag_value=DEFAULT,
    metavar="[URI]",
    help="Keep the last checkpoint as a savepoint, here or below the job's storage",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Stop waiting after this time",
)
@options.address
@options.as_json
def stop(
    name: str | None,
    drain: bool,
    savepoint: str | None,
    timeout: float | None,
    address: str | None,
    as_json: bool,
) -> int:
    """End a job after a last commit, and wait for it.

    Open windows stay in the last checkpoint; the next run continues with them.
    """
    if name is None and savepoint and "/" not in savepoint:
        name, savepoint = savepoint, DEFAULT  # raystream stop --savepoint NAME
    if name is None:
        what = "Missing argument 'NAME'."
        raise click.UsageError(what)
    kept: str | bool = False if savepoint is None else _place(savepoint) or True
    job = _job(name, address)
    if job.outcome() is None:
        _say(f"{name} is ending after {'closing its windows and ' if drain else ''}a last commit")
    return _ended(name, job.stop(drain=drain, savepoint=kept, timeout=timeout), as_json=as_json)


@click.command()
@options.name
@options.address
@options.as_json
def cancel(name: str, address: str | None, as_json: bool) -> int:
    """End a job at once, without a last commit.

    The next run continues from its last checkpoint.
    """
    return _ended(name, _job(name, address).cancel(), as_json=as_json)


@click.command()
@options.name
@click.argument("uri", required=False, help="Where to  [default: below the job's storage]")
@options.address
def savepoint(name: str, uri: str | None, address: str | None) -> None:
    """Make a checkpoint that is kept, and print its address.

    It is complete in itself: raystream run .. --from-savepoint starts from it.
    """
    print(_job(name, address).savepoint(_place(uri) if uri else None))


@click.command(short_help="Make a checkpoint now, and print its number.")
@options.name
@options.address
def checkpoint(name: str, address: str | None) -> None:
    """Make a checkpoint now, and print its number once its output is committed."""
    print(_job(name, address).checkpoint())


def _job(name: str, address: str | None) -> Job:
    from raystream.api.jobs.job import on_cluster

    return on_cluster(name, address)


def _tell_past(run: PastRun, *, watch: bool, as_json: bool) -> int:
    from raystream.cli.listing import show_past

    if as_json:
        print(json.dumps(run.document().to_dict(), indent=1))
    else:
        show_past(run)
    return run.outcome.exit_code if watch and run.outcome is not None else GOOD


def _place(uri: str) -> str:
    """Make a path absolute: it is relative to where the command was typed."""
    if not uri or "://" in uri:
        return uri
    return os.path.abspath(os.path.expanduser(uri))


def _watch(job: Job) -> int:
    from raystream.cli.watching import watch

    try:
        return watch(job)
    except KeyboardInterrupt:
        return GOOD


def _ended(name: str, outcome: Outcome | None, *, as_json: bool) -> int:
    """Print how it ended; returns the exit code."""
    if as_json:
        print(json.dumps(None if outcome is None else asdict(outcome), indent=1))
    if outcome is None:
        _say(f"{name} has not ended yet; it is still ending")
        return ExitCode.NOT_ENDED
    if not as_json:
        _tell(name, outcome)
    return outcome.exit_code


def _tell(name: str, outcome: Outcome) -> None:
    from raystream.cli.run import tell

    tell(outcome)
    if outcome.checkpoint is not None:
        _say(f"{name} continues from checkpoint {outcome.checkpoint}")
    if outcome.savepoint:
        print(outcome.savepoint)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
