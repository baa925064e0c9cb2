"""Exit codes of commands; every error is one message on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from raystream.cli.pipes import write_nowhere
from raystream.exit_codes import MEANINGS, ExitCode

GOOD = ExitCode.DONE
FAILED = ExitCode.FAILED

IN_HELP = (
    f"Exit codes: {'; '.join(f'{int(code)} {meaning}' for code, meaning in MEANINGS.items())}."
)


def exit_code_of(action: Callable[[], object]) -> int:
    """Run the action and return its exit code; prints the message of an error.

    Args:
        action: Returns an exit code, or None for 0.

    >>> exit_code_of(lambda: None), exit_code_of(lambda: 3)
    (0, 3)
    """
    from raystream.errors import RaystreamError

    try:
        code = action()
        sys.stdout.flush()
    except click.exceptions.Abort:
        return _told("interrupted", ExitCode.CANCELLED)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except RaystreamError as error:
        return _told(str(error), error.exit_code)
    except BrokenPipeError:  # exit silently, as click does if it sees the error first
        write_nowhere()
        return int(FAILED)
    except KeyboardInterrupt:
        return _told("interrupted", ExitCode.CANCELLED)
    return int(code) if isinstance(code, int) else int(GOOD)


def _told(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
