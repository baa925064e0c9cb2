"""Verbs on pipeline files: validate, lint, test, schema, init."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from raystream.config.place import Problem

FAILED = 1
USAGE = 2


def add_file_verbs(app: Any, typer: Any) -> None:
    """Register the verbs of this module.

    Args:
        app: The typer application.
        typer: The library, loaded by whoever needs it.
    """
    files = Annotated[list[str], typer.Argument(help="FILE.yaml ..")]
    file = Annotated[str, typer.Argument(help="FILE.yaml")]
    params = Annotated[list[str] | None, typer.Option("--param", help="name=value")]
    as_json = Annotated[bool, typer.Option("--json", help="As JSON on standard output")]

    def validate(files: Any, param: Any = None, as_json: Any = False) -> None:
        """Check pipeline files; touches no network. Exit code 2 if one is wrong."""
        raise typer.Exit(validate_files(files, params_of(param), as_json=as_json))

    def lint(files: Any, param: Any = None, strict: Any = False, as_json: Any = False) -> None:
        """Advice about pipeline files that are right. Exit code 0; with --strict 1."""
        raise typer.Exit(lint_files(files, params_of(param), strict=strict, as_json=as_json))

    def test(file: Any, fix: Any = False, param: Any = None, as_json: Any = False) -> None:
        """Run the tests of a pipeline file in this process. Exit code 1 if one fails."""
        raise typer.Exit(test_file(file, params_of(param), fix=fix, as_json=as_json))

    def schema() -> None:
        """Print the JSON Schema of pipeline files, for editors."""
        from raystream.config.json_schema import pipeline_schema

        print(json.dumps(pipeline_schema(), indent=1))

    def init(kinds: Any, small: Any = False) -> None:
        """Print a pipeline file to start from: kafka/kafka, files/kafka, datagen/files, .."""
        from raystream.config.templates import template

        print(_guarded(lambda: template(kinds, small=small)), end="")

    strict = Annotated[bool, typer.Option("--strict", help="Exit code 1 if there is any")]
    fix = Annotated[bool, typer.Option("--fix", help="Write what came into expect")]
    small = Annotated[bool, typer.Option("--small", help="The smallest form")]
    kinds = Annotated[str, typer.Argument(help="SOURCE/SINK")]
    _register(app, validate, files=files, param=params, as_json=as_json)
    _register(app, lint, files=files, param=params, strict=strict, as_json=as_json)
    _register(app, test, file=file, fix=fix, param=params, as_json=as_json)
    _register(app, schema)
    _register(app, init, kinds=kinds, small=small)


def _register(app: Any, function: Callable[..., None], **annotations: Any) -> None:
    function.__annotations__ = annotations  # typer reads them at run time
    app.command()(function)


def params_of(given: Sequence[str] | None) -> dict[str, str]:
    """`name=value` of `--param` as a map; a wrong one ends the process with exit code 2."""
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            print(f"--param {text} is not name=value", file=sys.stderr)
            raise SystemExit(USAGE)
        found[name] = value
    return found


def validate_files(paths: Sequence[str], params: Mapping[str, str], *, as_json: bool) -> int:
    """Check files; gives the exit code."""
    from raystream.config.load import Loading, load

    problems: list[Problem] = []
    for path in paths:
        found = _problems(lambda path=path: load(path, Loading(params, to_run=False)))  # type: ignore[misc]
        problems += found
        if not as_json:
            _tell(found, sys.stderr)
            if not found:
                print(f"{path}: valid")
    if as_json:
        print(json.dumps([_as_json(problem) for problem in problems], indent=1))
    return USAGE if problems else 0


def lint_files(
    paths: Sequence[str], params: Mapping[str, str], *, strict: bool, as_json: bool
) -> int:
    """Advice about files; gives the exit code."""
    from raystream.config.lint import lint
    from raystream.config.load import Loading, load

    advice: list[Problem] = []
    for path in paths:
        compiled = _guarded(lambda path=path: load(path, Loading(params, to_run=False)))  # type: ignore[misc]
        advice += lint(compiled.document)
    if as_json:
        print(json.dumps([_as_json(problem) for problem in advice], indent=1))
    else:
        _tell(advice, sys.stdout)
    return FAILED if strict and advice else 0


def test_file(path: str, params: Mapping[str, str], *, fix: bool, as_json: bool) -> int:
    """Run the tests of a file; gives the exit code."""
    from raystream.testing.cases import fix_cases, run_cases

    results = _guarded(lambda: run_cases(path, params))
    if as_json:
        print(json.dumps([{"name": r.name, "passed": r.passed} for r in results], indent=1))
    else:
        print("\n".join(line for result in results for line in result.lines()))
    failed = [result for result in results if not result.passed]
    if fix and failed:
        number = _guarded(lambda: fix_cases(path, results))
        print(f"{path}: rewrote expect of {number}", file=sys.stderr)
        return 0
    return FAILED if failed else 0


def _problems(action: Callable[[], Any]) -> list[Problem]:
    from raystream.config.place import InvalidFile

    try:
        action()
    except InvalidFile as error:
        return list(error.problems)
    return []


def _tell(problems: Sequence[Problem], stream: Any) -> None:
    for problem in problems:
        print(problem, file=stream)


def _as_json(problem: Problem) -> dict[str, Any]:
    place = problem.place
    where = {"file": place.file, "line": place.line, "column": place.column}
    return {**where, "path": problem.path, "message": problem.message}


def _guarded(action: Callable[[], Any]) -> Any:
    """Do it; our own errors become their message and exit code."""
    from raystream.errors import RaystreamError

    try:
        return action()
    except RaystreamError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
