"""Options and arguments shared by several verbs, so that they read the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import click


def _params(
    context: click.Context, option: click.Parameter, given: Sequence[str]
) -> dict[str, str]:
    """Parse the `NAME=VALUE` of each `--param` into a dict."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            what = f"--param {text} is not NAME=VALUE"
            raise click.UsageError(what, context)
        found[name] = value
    return found


target = click.argument(
    "target",
    type=click.Path(),
    metavar="TARGET",
    help="FILE.yaml, FILE.py:name or package.module:name",
)
file = click.argument("file", type=click.Path(), metavar="FILE.yaml")
files = click.argument("files", type=click.Path(), metavar="FILE.yaml...", nargs=-1, required=True)
name = click.argument("name", metavar="NAME", help="Name of the job")
param = click.option(
    "--param",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_params,
    help="${param:NAME} of FILE.yaml; may be repeated",
)
address = click.option(
    "--address",
    metavar="HOST:PORT",
    help="Ray cluster  [default: $RAY_ADDRESS, else a head on this machine]",
)
parallelism = click.option(
    "--parallelism",
    type=click.IntRange(min=1),
    metavar="N",
    help="Subtasks of each chain",
)
checkpoint_storage = click.option(
    "--checkpoint-storage",
    metavar="URI",
    help="Directory, or s3://, gs://, az://",
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output"
)
past_storage = click.option(
    "--checkpoint-storage",
    metavar="URI",
    help="Where past runs are looked for  [default: where runs of this user had it]",
)
