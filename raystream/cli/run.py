"""`raystream run`: a pipeline in the foreground, to its end."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from raystream.cli import options
from raystream.cli.pipes import going_on
from raystream.exit_codes import ExitCode

if TYPE_CHECKING:
    from raystream.job.outcome import Outcome

UNFIT = (
    ("dlq_rows", "dead letters"),
    ("skipped_rows", "skipped"),
    ("future_rows", "from the future"),
    ("unknown_fields", "unknown fields at least"),
    ("nan_as_null", "NaN written as null"),
)


def add_run_verbs(app: click.Group) -> None:
    """Register the verb.

    Args:
        app: The command.
    """
    app.add_command(run)


@click.command()
@options.target
@click.option(
    "--until", type=click.Choice(["latest"]), help="Process what is there now, then finish"
)
@click.option("--local", is_flag=True, help="One process, without Ray")
@options.address
@options.checkpoint_storage
@options.parallelism
@click.option("--from-scratch", is_flag=True, help="Start over: ignore the last checkpoint")
@click.option("--from-savepoint", metavar="URI", help="Start from this savepoint")
@click.option("--claim", is_flag=True, help="Delete the savepoint after the first checkpoint")
@click.option(
    "--allow-non-restored-state",
    is_flag=True,
    help="Give up the state of steps that no longer exist",
)
@click.option(
    "--accept-loss", is_flag=True, help="Continue without output that the broker has aborted"
)
@click.option(
    "--ui/--no-ui",
    default=None,
    help="With a page of the job, or without  [default: with a private Ray; $RAYSTREAM_UI]",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="Lines of the logs of its processes  [default: $RAYSTREAM_LOG_FORMAT, else text]",
)
@options.param
def run(target: str, param: dict[str, str], log_format: str | None, **flags: Any) -> int:
    """Run a pipeline in the foreground to its end.

    It continues from its last checkpoint. Ctrl-C ends it after a last commit, twice cancels it.
    """
    from raystream.api.jobs.run import RunOptions
    from raystream.api.jobs.run import run as run_pipeline
    from raystream.cli.target import loaded
    from raystream.runtime.log_format import about

    if log_format is not None:
        os.environ["RAYSTREAM_LOG_FORMAT"] = log_format
    with going_on():
        pipeline = loaded(target, param)
        with about(job=pipeline.name):
            outcome = run_pipeline(pipeline, RunOptions(**flags))
            tell(outcome)
    return outcome.exit_code


def tell(outcome: Outcome) -> None:
    """Print how it ended on standard error.

    Args:
        outcome: The outcome.
    """
    from raystream.runtime.log_format import told_line

    good = outcome.exit_code == ExitCode.DONE
    parts: list[str] = [outcome.kind]
    if good or outcome.came_from:  # else no process is left that knows what is committed
        only = "" if good else "committed: "
        parts += [f"{only}read {outcome.rows_in}", f"written {outcome.rows_out}"]
    parts += [f"late {outcome.late}"] if outcome.late else []
    parts += [f"{label} {n}" for name, label in UNFIT if (n := outcome.counters.get(name))]
    parts += [f"restarts {outcome.restarts}"] if outcome.restarts else []
    level = logging.INFO if good else logging.ERROR
    for text in (", ".join(parts), outcome.message):
        if text:
            print(told_line(text, level), file=sys.stderr)
