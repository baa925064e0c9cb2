"""The command `raystream`: exit code 0 finished, 1 failed, 2 wrong use, 3 superseded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from raystream.job.outcome import Outcome

USAGE = 2
UNFIT = (
    ("dlq_rows", "dead letters"),
    ("skipped_rows", "skipped"),
    ("future_rows", "from the future"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Args:
        arguments: Instead of those of the process.
    """
    app = _app()
    app(args=list(arguments) if arguments is not None else None, prog_name="raystream")


def _app() -> Any:
    import typer

    from raystream.cli.files import add_file_verbs

    app = typer.Typer(
        add_completion=True,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Streams of rows on Ray, Kafka to Kafka, exactly once.",
    )
    _add_run(app, typer)
    _add_explain(app, typer)
    add_file_verbs(app, typer)

    @app.command()
    def version() -> None:
        """Print the version."""
        from raystream import __version__

        print(__version__)

    return app


def _add_run(app: Any, typer: Any) -> None:
    option = typer.Option

    def run(
        target: Annotated[
            str, typer.Argument(help="FILE.py:name, package.module:name or FILE.yaml")
        ],
        until: Annotated[str | None, option(help="latest: to what is there now")] = None,
        local: Annotated[bool, option("--local", help="One process, without Ray")] = False,
        address: Annotated[str | None, option(help="Ray cluster")] = None,
        checkpoint_storage: Annotated[str | None, option(help="Directory or URL")] = None,
        parallelism: Annotated[int | None, option(min=1, help="Subtasks of each chain")] = None,
        from_scratch: Annotated[
            bool, option("--from-scratch", help="Forget the last checkpoint")
        ] = False,
        accept_loss: Annotated[
            bool, option("--accept-loss", help="Go on without output that the broker gave up")
        ] = False,
        param: Annotated[list[str] | None, option(help="name=value, for FILE.yaml")] = None,
    ) -> None:
        """Run a pipeline to its end."""
        if until not in (None, "latest"):
            _fail(f"--until {until} is unknown; write --until latest, or leave it out", USAGE)
        from raystream.api.run import RunOptions
        from raystream.api.run import run as run_pipeline

        pipeline = _loaded(target, param)
        options = RunOptions(
            until=until,
            local=local,
            address=address,
            checkpoint_storage=checkpoint_storage,
            parallelism=parallelism,
            from_scratch=from_scratch,
            accept_loss=accept_loss,
        )
        outcome = _guarded(lambda: run_pipeline(pipeline, options))
        _tell(outcome)
        raise typer.Exit(outcome.exit_code)

    # typer reads annotations at run time, and these name what is in this function
    run.__annotations__ = _evaluated(run, {"typer": typer, "option": option})
    app.command()(run)


def _add_explain(app: Any, typer: Any) -> None:
    from raystream.cli.yaml_target import as_python

    option = typer.Option

    def explain(
        target: Annotated[
            str, typer.Argument(help="FILE.py:name, package.module:name or FILE.yaml")
        ],
        parallelism: Annotated[int | None, option(min=1, help="Subtasks of each chain")] = None,
        format: Annotated[  # noqa: A002
            str, option("--as", help="text, mermaid, or for FILE.yaml python")
        ] = "text",
        param: Annotated[list[str] | None, option(help="name=value, for FILE.yaml")] = None,
    ) -> None:
        """Show chains, subtasks and exchanges; touches no network."""
        pipeline = _loaded(target, param)
        if format == "python":
            print(_guarded(lambda: as_python(target, pipeline)), end="")
        else:
            print(_guarded(lambda: pipeline.explain(parallelism=parallelism, format=format)))

    explain.__annotations__ = _evaluated(explain, {"typer": typer, "option": option})
    app.command()(explain)


def _evaluated(function: Any, names: dict[str, Any]) -> dict[str, Any]:
    import typing

    return typing.get_type_hints(function, localns=names, include_extras=True)


def _loaded(target: str, param: list[str] | None = None) -> Any:
    from raystream.cli.files import params_of
    from raystream.cli.target import load

    params = params_of(param)
    return _guarded(lambda: _of_user(lambda: load(target, params)))


def _of_user(action: Callable[[], Any]) -> Any:
    """Run the user's file; what it raises is shown at the user's line."""
    from raystream.cli.failures import of_user_code
    from raystream.errors import RaystreamError

    try:
        return action()
    except RaystreamError:
        raise
    except Exception as error:  # noqa: BLE001 - a user's file may raise anything
        _fail(of_user_code(error), USAGE)


def _guarded(action: Callable[[], Any]) -> Any:
    """Do it; our own errors become one message and their exit code."""
    from raystream.errors import RaystreamError

    try:
        return action()
    except RaystreamError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", 1)


def _fail(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    raise SystemExit(code)


def _tell(outcome: Outcome) -> None:
    parts = [outcome.kind, f"read {outcome.rows_in}", f"written {outcome.rows_out}"]
    parts += [f"late {outcome.late}"] if outcome.late else []
    parts += [f"{label} {n}" for name, label in UNFIT if (n := outcome.counters.get(name))]
    parts += [f"restarts {outcome.restarts}"] if outcome.restarts else []
    print(", ".join(parts), file=sys.stderr)
    if outcome.message:
        print(outcome.message, file=sys.stderr)
