"""`raystream logs`: the output of a job's processes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from raystream.cli import options

if TYPE_CHECKING:
    from raystream.errors import ConfigurationError
    from raystream.runtime.ray.logs import LogReader, Piece

LOOK_S = 0.5
NEW_LINES = 10_000
"""Lines of a process that appears for the first time while its job is followed."""

MANY = 1000
"""After so many lines at once the next are asked for without a pause."""


def add_log_verbs(app: click.Group) -> None:
    """Register the verb.

    Args:
        app: The command.
    """
    app.add_command(logs)


@click.command()
@options.name
@click.option("--follow", "-f", is_flag=True, help="Keep following the output, until Ctrl-C")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(min=0),
    default=100,
    metavar="N",
    help="The last N of each process  [default: 100]",
)
@click.option(
    "--since",
    metavar="TIME",
    help="The diary instead: what happened to the job since then, over all its runs: 2h, 30m, 7d "
    "ago, or 2026-11-28, 2026-11-28T14:00+01:00",
)
@options.past_storage
@options.address
@options.as_json
def logs(
    name: str,
    follow: bool,
    lines: int,
    since: str | None,
    checkpoint_storage: str | None,
    address: str | None,
    as_json: bool,
) -> None:
    """What the processes of a job printed, logged and died of.

    Each line begins with its process: coordinator, chain[number], or ray: what Ray itself said to
    the newest `raystream run` of the job by this user on this machine. Of a job that has ended, the
    last lines of its last run.
    """
    if since is not None:
        if follow:
            what = "--follow and --since cannot be combined"
            raise click.UsageError(what)
        _diary(name, since, checkpoint_storage, as_json=as_json)
        return
    from raystream.errors import ConfigurationError
    from raystream.runtime.ray.logs import LogReader
    from raystream.runtime.ray.remote_job import find_job

    if follow and as_json:
        what = "--follow and --json cannot be combined"
        raise click.UsageError(what)
    pieces = _of_ray(name, lines)
    try:
        job = find_job(name, address)
    except ConfigurationError:
        pieces += _of_the_past(name, checkpoint_storage, lines)
        if follow or not pieces:
            raise
        reader = None
    else:
        reader = LogReader(job)
        pieces += reader.read(lines)
    if as_json:
        found = [{"process": piece.title, "line": line} for piece in pieces for line in piece.lines]
        print(json.dumps(found, indent=1))
        return
    _show(pieces)
    if follow and reader is not None:
        _follow(reader)


def _diary(name: str, since: str, storage: str | None, *, as_json: bool) -> None:
    """What happened when, from the job's storage: no process of the job is needed."""
    from datetime import UTC, datetime

    from raystream.api.jobs.past import diary_of
    from raystream.cli.since import since_ms
    from raystream.observe.json_form import to_json

    found = diary_of(name, since_ms(since, datetime.now(UTC)), storage)
    if as_json:
        print(json.dumps([{"job": name, **to_json(each)} for each in found], indent=1))
        return
    if not found:
        raise _nothing(name, since, storage)
    for each in found:
        at = datetime.fromtimestamp(each.at_ms / 1000, UTC)
        print(f"{at:%Y-%m-%d %H:%M:%S}Z {each.text}")


def _nothing(name: str, since: str, storage: str | None) -> ConfigurationError:
    """What is said if the diary is empty: of a job that nobody knows, or of a quiet one."""
    from raystream.api.jobs.past import past_of
    from raystream.errors import ConfigurationError

    if past_of(name, storage):
        what = f"nothing has happened to {name} since {since}"
        return ConfigurationError(what, what_to_do="name an earlier time")
    what = f"no run of {name} is known"
    advice = "`raystream list --all` shows the jobs; --checkpoint-storage URI names their storage"
    return ConfigurationError(what, what_to_do=advice)


def _of_ray(name: str, lines: int) -> list[Piece]:
    """Output of Ray itself in the newest foreground run of the job, on this machine."""
    from raystream.runtime.ray.driver_log import last_lines, log_of
    from raystream.runtime.ray.logs import Piece

    lines_of = last_lines(name, lines)
    return [Piece("ray", str(log_of(name)), tuple(lines_of), None)] if lines_of else []


def _of_the_past(name: str, storage: str | None, lines: int) -> list[Piece]:
    """Log lines that the last run kept, in its checkpoint storage."""
    from raystream.api.jobs.past import logs_of, past_of
    from raystream.runtime.ray.logs import Piece

    by_process: dict[str, list[str]] = {}
    for run in past_of(name, storage)[:1]:
        for line in logs_of(run, storage):
            title, _, text = line.partition(" | ")
            by_process.setdefault(title, []).append(text)
    return [
        Piece(t, "", tuple(lines_of[-lines:] if lines else ()), None)
        for t, lines_of in by_process.items()
    ]


def _follow(reader: LogReader) -> None:
    from raystream.errors import ConfigurationError

    try:
        many = False
        while True:
            time.sleep(0 if many else LOOK_S)
            pieces = reader.read(NEW_LINES)
            many = sum(len(piece.lines) for piece in pieces) > MANY
            _show(pieces)
    except ConfigurationError as ended:
        print(ended.what, file=sys.stderr)
    except KeyboardInterrupt:
        return


def _show(pieces: Sequence[Piece]) -> None:
    from raystream.cli.console import PROCESSES, painted

    for piece in pieces:
        colour = PROCESSES[sum(piece.title.encode()) % len(PROCESSES)]
        front = painted(f"{piece.title} |", colour)
        for line in piece.lines:
            print(front, line)
    sys.stdout.flush()
