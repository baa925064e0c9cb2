"""`raystream submit`: send a pipeline with its directory to a cluster and run it there."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from raystream.cli import options
from raystream.cli.exits import GOOD
from raystream.cli.run import run
from raystream.cli.yaml_target import is_yaml
from raystream.errors import ConfigurationError

_ELSEWHERE = ("target", "local", "address", "ui")
_OF_RUN = [option for option in run.params if option.name not in _ELSEWHERE]
"""Options of `raystream run` that `raystream submit` passes on."""


def add_submit_verb(app: click.Group) -> None:
    """Register the verb.

    Args:
        app: The command.
    """
    app.add_command(submit)


@click.command()
@options.target
@click.option(
    "--address",
    metavar="URL",
    envvar="RAYSTREAM_ADDRESS",
    help="http://HOST:8265, or HOST:PORT of the head"
    "  [default: $RAY_API_SERVER_ADDRESS, $RAY_ADDRESS, else a head on this machine]",
)
@click.option(
    "--working-dir",
    type=click.Path(path_type=Path),
    default=".",
    show_default=True,
    help="Uploaded, without what .gitignore and .rayignore name",
)
@click.option(
    "--env",
    multiple=True,
    metavar="NAME",
    help="Pass on this environment variable; may be repeated",
)
@click.option("--wait/--no-wait", default=True, help="Show its output and end with its exit code")
@click.pass_context
def submit(
    context: click.Context,
    /,
    target: str,
    address: str | None,
    working_dir: Path,
    env: Sequence[str],
    wait: bool,
    **flags: Any,
) -> int:
    """Run a pipeline on a Ray cluster, by way of `ray job submit`.

    Takes the options of `raystream run`. The environment of this command stays here but for what
    --env names. Ctrl-C ends the view, not the run.
    """
    from raystream.runtime.ray.submission import Submission
    from raystream.runtime.ray.submission import submit as send

    _check_storage(flags["checkpoint_storage"])
    arguments = ["run", _inside(target, working_dir), *_handed_on(context, flags)]
    _check_target(target, flags["param"])
    job = send(Submission(arguments, working_dir, _variables(env)), address)
    print(f"submitted {job.id}: raystream {' '.join(arguments)}", file=sys.stderr)
    print(f"  follow: {job.command('logs --follow')}", file=sys.stderr)
    print(f"  stop:   {job.command('stop')}", file=sys.stderr)
    if not wait:
        print(job.id)
        return GOOD
    try:
        return job.follow(_write)
    except KeyboardInterrupt:
        print(f"the run continues; to end it: {job.command('stop')}", file=sys.stderr)
        return GOOD


submit.params.extend(_OF_RUN)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _handed_on(context: click.Context, flags: Mapping[str, Any]) -> list[str]:
    """The options of `raystream run` given on the command line, as they were typed."""
    arguments: list[str] = []
    for option in _OF_RUN:
        name = option.name or ""
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue  # values of the local environment are not passed to the cluster
        value, flag = flags[name], option.opts[0]
        if isinstance(value, Mapping):
            arguments += [part for k, v in value.items() for part in (flag, f"{k}={v}")]
        elif value is True:
            arguments.append(flag)
        else:
            arguments += [flag, str(value)]
    return arguments


def _variables(names: Sequence[str]) -> dict[str, str]:
    """Values of these variables.

    >>> _variables(["NO_SUCH_VARIABLE"])
    Traceback (most recent call last):
    ...
    raystream.errors.ConfigurationError: ...NO_SUCH_VARIABLE is not set here...
    """
    for name in names:
        if "=" in name:
            what = "--env takes a name, and its value from the environment of this command"
            raise ConfigurationError(what, what_to_do=f"write --env {name.partition('=')[0]}")
        if name not in os.environ:
            what = f"{name} is not set here, so --env {name} has no value to pass on"
            raise ConfigurationError(what, what_to_do=f"export {name}, or leave it out")
    return {name: os.environ[name] for name in names}


def _check_storage(address: str | None) -> None:
    if address and "://" not in address and not address.startswith(("/", "~")):
        what = "a relative checkpoint storage would be in Ray's copy of the working directory"
        advice = "write an absolute path or an object store (s3://, gs://, az://)"
        raise ConfigurationError(what, address, advice)


def _inside(target: str, working_dir: Path) -> str:
    """The target relative to the working directory of the run."""
    place, colon, name = (target, "", "") if is_yaml(target) else target.rpartition(":")
    place = place or name
    if not place.endswith((".py", ".yaml", ".yml")):
        return target  # a module is imported from the working directory
    path, root = Path(place).resolve(), working_dir.resolve()
    if not path.is_file():
        text = f"there is no file {place}"
        raise ConfigurationError(text)
    if not path.is_relative_to(root):
        what = f"{place} is not in the working directory, which is all that is uploaded"
        raise ConfigurationError(
            what, what_to_do=f"name one above it with --working-dir, not {root}"
        )
    inside = str(path.relative_to(root))
    return f"{inside}:{name}" if colon and name else inside


def _check_target(target: str, params: Mapping[str, str]) -> None:
    """Report mistakes in a pipeline file here; code is loaded where it will run."""
    if is_yaml(target):
        from raystream.config.load import Loading, load

        load(target, Loading(params, to_run=False))
