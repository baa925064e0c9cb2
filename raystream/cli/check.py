"""`raystream check`: would this pipeline run here and now?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from raystream.cli import options
from raystream.cli.exits import GOOD
from raystream.exit_codes import ExitCode

if TYPE_CHECKING:
    from raystream.observe.finding import Finding


def add_check_verb(app: click.Group) -> None:
    """Register the verb of this module.

    Args:
        app: The command.
    """
    app.add_command(check)


@click.command(short_help="Check whether it can run: brokers, topics, rights, storage, records.")
@options.target
@options.checkpoint_storage
@options.param
@options.as_json
def check(target: str, checkpoint_storage: str | None, param: dict[str, str], as_json: bool) -> int:
    """Would this pipeline run here and now? Connects, and changes nothing.

    Looks at brokers, topics, rights, transaction limits, checkpoint storage, and some records of
    each source. One line for each finding; exit code 2 if one of them is an error.
    """
    from raystream.api.checks.check import check as check_pipeline
    from raystream.cli.target import loaded
    from raystream.observe.finding import errors

    pipeline = loaded(target, param)
    found = check_pipeline(pipeline, checkpoint_storage, _nothing if as_json else _show)
    bad = len(errors(found))
    if as_json:
        findings = [_document(finding) for finding in found]
        print(
            json.dumps({"pipeline": pipeline.name, "errors": bad, "findings": findings}, indent=1)
        )
    return ExitCode.REFUSED if bad else GOOD


def _show(finding: Finding) -> None:
    print(finding, flush=True)


def _nothing(finding: Finding) -> None:
    """Print nothing: the whole document is printed at the end."""


def _document(finding: Finding) -> dict[str, str]:
    return {
        "level": str(finding.level),
        "about": finding.about,
        "said": finding.text,
        "what_to_do": finding.what_to_do,
    }
