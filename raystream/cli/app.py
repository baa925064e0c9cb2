"""The command `raystream`: its verbs by section, and the way from arguments to an exit code."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from raystream.cli.check import add_check_verb
from raystream.cli.completion import add_completion
from raystream.cli.exits import IN_HELP, exit_code_of
from raystream.cli.explain import add_explain_verbs
from raystream.cli.files import add_file_verbs
from raystream.cli.jobs import add_job_verbs
from raystream.cli.logs import add_log_verbs
from raystream.cli.run import add_run_verbs
from raystream.cli.submit import add_submit_verb
from raystream.cli.txn import add_txn_verbs
from raystream.cli.ui import add_ui_verb

SECTIONS = {
    "Run": ("run", "submit"),
    "Jobs": ("list", "status", "logs", "stop", "cancel", "savepoint", "checkpoint", "ui"),
    "Pipelines": ("validate", "lint", "check", "test", "explain", "schema", "init"),
    "Kafka": ("txn",),
    "More": ("version",),
}


class Verbs(click.Group):
    """The verbs, in the order of SECTIONS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the verbs; those of no section come last."""
        ordered = [name for names in SECTIONS.values() for name in names]
        return sorted(self.commands, key=lambda name: (*ordered, name).index(name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The sections of `raystream --help`."""
        for title, names in SECTIONS.items():
            verbs = [self.commands[name] for name in names if name in self.commands]
            if verbs:
                with formatter.section(title):
                    formatter.write_dl([(str(v.name), v.get_short_help_str(80)) for v in verbs])


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its exit code.

    Args:
        arguments: Overrides those of the process.
    """
    gc.set_threshold(50_000)  # a short verb creates hardly any garbage: saves 30 ms of 340
    given = None if arguments is None else list(arguments)
    verbs = app()
    code = exit_code_of(lambda: verbs.main(given, prog_name="raystream", standalone_mode=False))
    if arguments is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # everything is done: Ctrl-C while the interpreter exits must not print a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if arguments is None and _only_looked():
        # the private Ray may have ended with its run: disconnecting would wait for it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


def _only_looked() -> bool:
    cluster = sys.modules.get("raystream.runtime.ray.cluster")
    looks = getattr(cluster, "only_looks_at_private", None)  # a thread may just import it
    return looks is not None and bool(looks())


def app() -> click.Group:
    """The command with all its verbs. A verb returns its exit code."""
    group = Verbs(
        "raystream",
        no_args_is_help=True,
        help="Streams of rows on Ray, Kafka to Kafka, exactly once.",
        epilog=IN_HELP,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    group.params.append(_version_option())
    add_completion(group)
    add_run_verbs(group)
    add_submit_verb(group)
    add_job_verbs(group)
    add_log_verbs(group)
    add_ui_verb(group)
    add_file_verbs(group)
    add_explain_verbs(group)
    add_txn_verbs(group)
    add_check_verb(group)
    return group


def _version_option() -> click.Option:
    def show(context: click.Context, option: click.Parameter, asked: bool) -> None:
        if asked:
            from raystream import __version__

            print(__version__)
            context.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=show,
        help="Show the version and exit.",
    )
