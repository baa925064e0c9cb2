"""Where in the user's file a verb was called."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType

from raystream.cell_names import cell
from raystream.errors import ConfigurationError
from raystream.graph.logical import Origin

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_GIVEN: ContextVar[Origin | None] = ContextVar("raystream_origin", default=None)


def origin_of_call() -> Origin:
    """File and line of the innermost frame outside raystream.

    A file below the working directory is named relative to it, as the user would type it.
    """
    given = _GIVEN.get()
    if given is not None:
        return given
    frame = _users_frame()
    return Origin(_short(frame.f_code.co_filename), frame.f_lineno)


def code_of_call() -> str:
    """Python's name of the user's code: a path, or the name that IPython gave a cell."""
    return _users_frame().f_code.co_filename


def _users_frame() -> FrameType:
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_code):
        frame = frame.f_back
    return frame


@contextmanager
def written_at(origin: Origin) -> Iterator[None]:
    """Set the origin of the steps inside: for pipelines that do not come from Python."""
    token = _GIVEN.set(origin)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def wrong(what: str, what_to_do: str = "") -> ConfigurationError:
    """The error for a mistake in the current call, at the user's line."""
    return ConfigurationError(what, str(origin_of_call()), what_to_do)


class at_call:  # noqa: N801 - used as `with at_call():`
    """Add the user's line to a ConfigurationError without a place.

    A class, not a generator: a frame of contextlib would be mistaken for the user's.

    Args:
        within: Name of the called verb: errors with that name as their place get the line, too.
    """

    def __init__(self, within: str = "") -> None:
        self._within = within

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Add the user's line."""
        if not isinstance(error, ConfigurationError):
            return
        if not error.where:
            raise error.placed(str(origin_of_call())) from None
        if self._within:
            place = f"{origin_of_call()}: {error.where}"
            raise ConfigurationError(error.what, place, error.what_to_do) from None


def _is_ours(code: CodeType) -> bool:
    made_by_dataclass = code.co_filename == "<string>" and code.co_name == "__init__"
    return made_by_dataclass or code.co_filename.startswith(_PACKAGE)


def _short(path: str) -> str:
    here = os.getcwd() + os.sep
    return cell(path) or path.removeprefix(here)
