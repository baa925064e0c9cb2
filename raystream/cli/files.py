"""Verbs on pipeline files: validate, lint, test, schema, init. None uses a network."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from raystream.cli import options
from raystream.cli.console import painted
from raystream.cli.exits import FAILED, GOOD
from raystream.exit_codes import ExitCode

if TYPE_CHECKING:
    from raystream.config.place import Problem


def add_file_verbs(app: click.Group) -> None:
    """Register the verbs of this module.

    Args:
        app: The command.
    """
    for verb in (validate, lint, test, schema, init):
        app.add_command(verb)


@click.command(short_help="Check pipeline files; exit code 2 if one is wrong.")
@options.files
@options.param
@options.as_json
def validate(files: Sequence[str], param: Mapping[str, str], as_json: bool) -> int:
    """Check pipeline files: every mistake as file:line:column: path: message.

    Touches no network. Exit code 2 if a file is wrong.
    """
    problems: list[Problem] = []
    for path in files:
        _, found = _compiled(path, param)
        problems += found
        if not as_json:
            _tell(found, sys.stderr)
            if not found:
                print(f"{path}: {painted('valid', 'green')}")
    if as_json:
        print(_as_json(problems))
    return ExitCode.REFUSED if problems else GOOD


@click.command(short_help="Advice about valid pipeline files.")
@options.files
@click.option("--strict", is_flag=True, help="Exit code 1 if there is any advice")
@options.param
@options.as_json
def lint(files: Sequence[str], strict: bool, param: Mapping[str, str], as_json: bool) -> int:
    """Advice about valid pipeline files.

    Exit code 0, with --strict 1 if there is any; 2 if a file is wrong.
    """
    from raystream.config.lint import lint

    advice: list[Problem] = []
    wrong: list[Problem] = []
    for path in files:
        compiled, found = _compiled(path, param)
        wrong += found
        advice += lint(compiled.document) if compiled is not None else []
    if as_json:
        print(_as_json([*wrong, *advice]))
    else:
        _tell(wrong, sys.stderr)
        _tell(advice, sys.stdout)
    return ExitCode.REFUSED if wrong else FAILED if strict and advice else GOOD


@click.command(short_help="Run the tests of a pipeline file; exit code 1 if one fails.")
@options.file
@click.option("--fix", is_flag=True, help="Write the actual results into expect")
@options.param
@options.as_json
def test(file: str, fix: bool, param: Mapping[str, str], as_json: bool) -> int:
    """Run the tests of a pipeline file in this process.

    Exit code 1 if one fails.
    """
    from raystream.testing.cases import fix_cases, run_cases

    results = run_cases(file, param)
    if as_json:
        print(json.dumps([{"name": r.name, "passed": r.passed} for r in results], indent=1))
    else:
        print("\n".join(line for result in results for line in result.lines()))
    failed = [result for result in results if not result.passed]
    if fix and failed:
        print(f"{file}: rewrote expect of {fix_cases(file, results)}", file=sys.stderr)
        return GOOD
    return FAILED if failed else GOOD


@click.command()
def schema() -> None:
    """Print the JSON Schema of pipeline files, for editors."""
    from raystream.config.json_schema import pipeline_schema

    print(json.dumps(pipeline_schema(), indent=1))


@click.command(short_help="Print a pipeline file to start from: kafka/kafka, ..")
@click.argument("kinds", metavar="SOURCE/SINK", help="kafka/kafka, files/kafka, datagen/files, ..")
@click.option("--small", is_flag=True, help="The shortest form")
def init(kinds: str, small: bool) -> None:
    """Print a pipeline file to start from."""
    from raystream.config.templates import template

    print(template(kinds, small=small), end="")


def _compiled(path: str, param: Mapping[str, str]) -> tuple[Any | None, list[Problem]]:
    """The compiled file, or everything that is wrong with it."""
    from raystream.config.load import Loading, load
    from raystream.config.place import InvalidFile

    try:
        return load(path, Loading(param, to_run=False)), []
    except InvalidFile as error:
        return None, list(error.problems)


def _tell(problems: Sequence[Problem], stream: Any) -> None:
    for problem in problems:
        print(problem, file=stream)


def _as_json(problems: Sequence[Problem]) -> str:
    return json.dumps([_document(problem) for problem in problems], indent=1)


def _document(problem: Problem) -> dict[str, Any]:
    place = problem.place
    where = {"file": place.file, "line": place.line, "column": place.column}
    return {**where, "path": problem.path, "message": problem.message}
