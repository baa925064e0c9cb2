"""Completion in bash, zsh and fish: `--show-completion` prints, `--install-completion` installs it.

Completes verbs, options, their values and files, but not names of jobs: querying a Ray cluster
takes longer than a person waits for a key.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

VARIABLE = "_RAYSTREAM_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
THIS_SHELL = "this"
_START_FILES = {"bash": ".bashrc", "zsh": ".zshrc"}
_ZSH_FIRST = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n"


def add_completion(app: click.Group) -> None:
    """Add the two options; they are documented, but not shown in --help.

    Args:
        app: The command.
    """
    for name, act in (("--show-completion", _show), ("--install-completion", _install)):
        option = click.Option(
            [name],
            type=click.Choice([*SHELLS, THIS_SHELL]),
            is_flag=False,
            flag_value=THIS_SHELL,
            hidden=True,
            expose_value=False,
            is_eager=True,
            callback=act,
        )
        app.params.append(option)


def _show(context: click.Context, option: click.Parameter, chosen: str | None) -> None:
    if chosen is not None:
        print(script(context.command, _shell(chosen)), end="")
        context.exit()


def _install(context: click.Context, option: click.Parameter, chosen: str | None) -> None:
    if chosen is not None:
        shell = _shell(chosen)
        print(f"completion for {shell} is in {install(context.command, shell)}; open a new shell")
        context.exit()


def script(command: click.Command, shell: str) -> str:
    """The script that a shell must run to complete `raystream`.

    Args:
        command: The command.
        shell: bash, zsh or fish.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    text = kind(command, {}, "raystream", VARIABLE).source().rstrip() + "\n"
    return _ZSH_FIRST + text if shell == "zsh" else text


def install(command: click.Command, shell: str) -> Path:
    """Write the script into the home directory, and load it once in the shell's startup file.

    Args:
        command: The command.
        shell: bash, zsh or fish.

    Returns:
        Path of the script.
    """
    home = Path.home()
    if shell == "fish":  # fish loads this directory by itself
        return _written(home / ".config/fish/completions/raystream.fish", script(command, shell))
    path = _written(home / f".config/raystream/completion.{shell}", script(command, shell))
    start, line = home / _START_FILES[shell], f'. "{path}"'
    before = start.read_text() if start.exists() else ""
    if line not in before.splitlines():
        start.write_text(f"{before.rstrip()}\n{line}\n" if before else f"{line}\n")
    return path


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _shell(chosen: str) -> str:
    if chosen != THIS_SHELL:
        return chosen
    named = os.path.basename(os.environ.get("SHELL", ""))
    if named not in SHELLS:
        what = f"name the shell: one of {', '.join(SHELLS)}"
        raise click.UsageError(what)
    return named
