"""`raystream explain` and `version`: what would run, and with what."""

from __future__ import annotations

import json
from typing import Any

import click

from raystream.cli import options

LIBRARIES = ("ray", "polars", "confluent-kafka", "obstore")


def add_explain_verbs(app: click.Group) -> None:
    """Register the verbs of this module.

    Args:
        app: The command.
    """
    app.add_command(explain)
    app.add_command(version)


@click.command()
@options.target
@options.parallelism
@click.option(
    "--as",
    "form",
    type=click.Choice(["text", "mermaid", "python"]),
    default="text",
    help="python: the same pipeline of FILE.yaml by fluent verbs",
)
@options.param
@options.as_json
def explain(
    target: str, parallelism: int | None, form: str, param: dict[str, str], as_json: bool
) -> None:
    """Show chains, subtasks and exchanges; touches no network."""
    from raystream.cli.target import loaded

    if as_json and form != "text":
        what = f"--json and --as {form} cannot be combined"
        raise click.UsageError(what)
    pipeline = loaded(target, param)
    if as_json:
        print(json.dumps(_document(pipeline, parallelism), indent=1))
    elif form == "python":
        from raystream.cli.yaml_target import as_python

        print(as_python(target, pipeline), end="")
    else:
        print(pipeline.explain(parallelism=parallelism, format=form))


def _document(pipeline: Any, parallelism: int | None) -> dict[str, Any]:
    from raystream.plan.explain import document

    return document(pipeline.plan(parallelism=parallelism), pipeline.name)


@click.command(short_help="Print the version.")
@options.as_json
def version(as_json: bool) -> None:
    """Print the version; with --json also those of the main libraries, null if not installed."""
    from platform import python_version

    from raystream import __version__

    if as_json:
        found = {"raystream": __version__, "python": python_version()}
        print(json.dumps({**found, **{name: _version_of(name) for name in LIBRARIES}}, indent=1))
    else:
        print(__version__)


def _version_of(library: str) -> str | None:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        return version_of(library)
    except PackageNotFoundError:
        return None
