"""`raystream txn list|describe|abort`: transactions of jobs on the brokers."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from raystream.cli import options
from raystream.cli.exits import GOOD
from raystream.errors import ConfigurationError

if TYPE_CHECKING:
    from raystream.api.checks.transactions import Seen, Transactions, Where
    from raystream.connectors.kafka.transactions import Held

COLUMNS = ("transactional id", "state", "age", "limit", "partitions", "producer", "fate")


def add_txn_verbs(app: click.Group) -> None:
    """Register the verbs of this module.

    Args:
        app: The command.
    """
    app.add_command(txn)


@click.group(short_help="Transactions on the brokers: list, describe, abort.")
def txn() -> None:
    """Transactions of jobs on the brokers: see docs/transactions.md."""


_file = click.option(
    "--file", metavar="TARGET", help="Pipeline that names brokers, security and storage"
)
_servers = click.option("--bootstrap-servers", metavar="HOST:PORT", help="Brokers")


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where to look."""
    for option in reversed((_file, _servers, options.checkpoint_storage, options.param)):
        function = option(function)
    return function


@txn.command("list", short_help="Open transactions, and the checkpoints that name them.")
@click.argument("target", required=False, type=click.Path(), metavar="[TARGET]")
@_shared
@click.option("--all", "every", is_flag=True, help="Those that have ended, too")
@click.option("--hanging", is_flag=True, help="Those that no coordinator will end (KAFKA-12671)")
@options.as_json
def list_(target: str | None, every: bool, hanging: bool, as_json: bool, **flags: Any) -> int:
    """Open transactions of raystream, oldest first.

    TARGET (or --file) is a pipeline; without it --bootstrap-servers, and plain text.
    """
    with _connected({**flags, "file": flags["file"] or target}) as transactions:
        if hanging:
            return _show_hanging(transactions.hanging(), as_json)
        now = time.time_ns() // 1_000_000
        found = transactions.seen(every=every)
    found.sort(key=lambda one: (not one.details.open, one.details.started_ms, one.details.tid))
    if as_json:
        print(json.dumps({"transactions": [document(one, now) for one in found]}, indent=1))
    elif found:
        _table(COLUMNS, [_row(one, now) for one in found])
    else:
        print("no open transaction of raystream", file=sys.stderr)
    return GOOD


@txn.command(short_help="Details of one transaction.")
@click.argument("tid", metavar="TRANSACTIONAL_ID")
@_shared
@options.as_json
def describe(tid: str, as_json: bool, **flags: Any) -> int:
    """Details of one transaction."""
    with _connected(flags) as transactions:
        seen = transactions.of(tid)
    found = document(seen, time.time_ns() // 1_000_000)
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        flat = {**found, **{f"named by {k}": v for k, v in (found.pop("named_by") or {}).items()}}
        flat.pop("named_by", None)
        for name, value in flat.items():
            print(f"{name.replace('_', ' '):20} {_text(value)}")
    return GOOD


@txn.command(short_help="End transactions that no checkpoint names.")
@click.argument("tid", required=False, metavar="[TRANSACTIONAL_ID]")
@click.option("--job", metavar="NAME", help="All open transactions of this job")
@_shared
@click.option("--not-running", is_flag=True, help="Confirm that no process of the job is left")
@click.option(
    "--storage-is-gone", is_flag=True, help="Confirm that its checkpoint storage was deleted"
)
@click.option("--hanging", is_flag=True, help="Those of `txn list --hanging`")
@options.address
def abort(
    tid: str | None,
    job: str | None,
    not_running: bool,
    storage_is_gone: bool,
    hanging: bool,
    address: str | None,
    **flags: Any,
) -> int:
    """End transactions that no checkpoint names; all of them, or (exit code 2) none.

    A transaction that a checkpoint without its `done` names is output that counts: to abort it
    would lose it, so that is refused. The next start of the job commits it.
    """
    from raystream.api.checks.transactions import Abort
    from raystream.api.checks.transactions import abort as abort_all

    if [tid is not None, job is not None, hanging].count(True) != 1:
        what = "name them: TRANSACTIONAL_ID, --job NAME or --hanging"
        raise click.UsageError(what)
    with _connected(flags) as transactions:
        if hanging:
            return _end_hanging(transactions)
        tids = [tid] if tid is not None else _of_job(transactions, str(job))
        if not tids:
            print(f"no open transaction of a job {job}", file=sys.stderr)
        for line in abort_all(transactions, tids, Abort(not_running, storage_is_gone, address)):
            print(line)
    return GOOD


def _of_job(transactions: Transactions, job: str) -> list[str]:
    names = {job, *(tid_job for tid_job, name in transactions.jobs.items() if name == job)}
    return [one.details.tid for one in transactions.seen() if one.id.job in names]


def _end_hanging(transactions: Transactions) -> int:
    found = transactions.hanging()
    if not found:
        print("no transaction hangs", file=sys.stderr)
    code = GOOD
    for one in found:
        try:
            transactions.end_hanging(one)
        except ConfigurationError as refused:
            print(refused, file=sys.stderr)
            code = refused.exit_code
        else:
            place = f"{one.topic}/{one.partition}"
            print(f"{place}: aborted producer {one.open.pid}, epoch {one.open.epoch}")
    return code


def _connected(flags: Mapping[str, Any]) -> Transactions:
    from raystream.api.checks.transactions import Transactions

    return Transactions(_where(flags))


def _where(flags: Mapping[str, Any]) -> Where:
    from raystream.api.checks.transactions import Where, where_of
    from raystream.api.jobs.run import RunOptions, storage_of
    from raystream.cli.target import loaded
    from raystream.connectors.kafka.connection import Kafka
    from raystream.connectors.kafka.settings import BOOTSTRAP_VARIABLE

    storage, servers = flags["checkpoint_storage"], flags["bootstrap_servers"]
    if flags["file"]:
        if servers:
            what = "--bootstrap-servers and a pipeline cannot be combined"
            raise click.UsageError(what)
        pipeline = loaded(flags["file"], flags["param"])
        return where_of(pipeline, storage_of(pipeline, RunOptions(checkpoint_storage=storage)))
    servers = servers or os.environ.get(BOOTSTRAP_VARIABLE)
    if not servers:
        what = f"no brokers given: name a pipeline, --bootstrap-servers or ${BOOTSTRAP_VARIABLE}"
        raise click.UsageError(what)
    return Where((Kafka(servers),), storage or _default_storage())


def _default_storage() -> str | None:
    from raystream.api.environment import STORAGE_VARIABLE
    from raystream.api.jobs.run import DEFAULT_STORAGE

    if os.environ.get(STORAGE_VARIABLE):
        return os.environ[STORAGE_VARIABLE]
    path = os.path.expanduser(DEFAULT_STORAGE)
    return path if os.path.isdir(path) else None


def document(seen: Seen, now_ms: int) -> dict[str, Any]:
    """A transaction as JSON.

    Args:
        seen: The transaction.
        now_ms: The time, epoch ms.
    """
    one, parts, view = seen.details, seen.id, seen.view
    named = None
    if seen.named is not None and view is not None:
        records = {"step": seen.named.sink, "records": seen.named.n_records}
        named = {"checkpoint": view.checkpoint, "slot": view.slot, **records}
    age = one.age_s(now_ms) if one.open else None
    return {
        "transactional_id": one.tid,
        "job": parts.job,
        "store": parts.store_id,
        "step": parts.step,
        "subtask": parts.subtask,
        "attempt": parts.attempt,
        "state": one.state,
        "age_seconds": None if age is None else round(age, 1),
        "timeout_seconds": one.timeout_ms / 1000,
        "partitions": [f"{topic}/{number}" for topic, number in one.partitions],
        "producer_id": one.pid,
        "producer_epoch": one.epoch,
        "storage": None if view is None else view.url,
        "storage_trouble": seen.trouble or None,
        "fate": seen.fate(),
        "named_by": named,
    }


def _row(seen: Seen, now_ms: int) -> list[str]:
    one = document(seen, now_ms)
    age = one["age_seconds"]
    return [
        one["transactional_id"],
        one["state"],
        "" if age is None else f"{age:.0f} s",
        f"{one['timeout_seconds']:g} s",
        _text(one["partitions"]),
        f"{one['producer_id']}/{one['producer_epoch']}",
        one["fate"],
    ]


def _text(value: Any) -> str:
    if isinstance(value, list):
        shown = ", ".join(map(str, value[:4]))
        return f"{shown} and {len(value) - 4} more" if len(value) > 4 else shown
    return "-" if value is None else str(value)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for row in (names, *rows):
        print("  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip())


def _show_hanging(found: Sequence[Held], as_json: bool) -> int:
    if as_json:
        print(json.dumps({"hanging": [_hanging_document(one) for one in found]}, indent=1))
    elif found:
        rows = [[_text(value) for value in _hanging_document(one).values()] for one in found]
        _table(("partition", "producer", "epoch", "held from", "coordinator", "abort"), rows)
    else:
        print("no transaction hangs", file=sys.stderr)
    return GOOD


def _hanging_document(one: Held) -> dict[str, Any]:
    return {
        "partition": f"{one.topic}/{one.partition}",
        "producer_id": one.open.pid,
        "producer_epoch": one.open.epoch,
        "first_offset": one.open.offset,
        "coordinator": one.coordinator_says(),
        "abort": "safe" if one.never_committed else "refused: it may have been committed",
    }
