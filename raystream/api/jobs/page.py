"""The page of a run in the foreground: whether it is wanted, and what it is told."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from raystream.api.jobs.cluster_jobs import as_json, known_marks
from raystream.errors import ConfigurationError, RaystreamError
from raystream.observe.history import Point
from raystream.observe.status import StatusDocument

if TYPE_CHECKING:
    from raystream.runtime.ray.foreground import Runtime
    from raystream.ui.beside import BesidePage

VARIABLE = "RAYSTREAM_UI"
_ON = ("on", "1", "true", "yes")
_OFF = ("off", "0", "false", "no")

SILENT_S = 5.0
"""A runtime that has told nothing for this long is silent, seconds."""


def is_wanted(
    *,
    asked: bool | None,
    local: bool,
    environment: Mapping[str, str],
    address: str | None = None,
) -> bool:
    """Whether a run in the foreground has a page.

    By itself with a private Ray; with a cluster, which has `raystream ui`, only where somebody
    looks: on a terminal, and not in CI.

    Args:
        asked: What the command line says; None: nothing.
        local: The run stays in this process.
        address: Of Ray, as the user gave it; None: RAY_ADDRESS, else a private one.
        environment: Variables; RAYSTREAM_UI is on or off.

    Raises:
        ConfigurationError: RAYSTREAM_UI is neither; or aiohttp is not installed.

    >>> is_wanted(asked=None, local=True, environment={})
    False
    >>> is_wanted(asked=None, local=True, environment={"RAYSTREAM_UI": "on"})
    True
    """
    said = environment.get(VARIABLE, "").strip().lower()
    if said and said not in (*_ON, *_OFF):
        what = f"{said!r} is neither on nor off"
        raise ConfigurationError(what, VARIABLE, "RAYSTREAM_UI=on, or =off, or unset it")
    if asked is None and said:
        asked = said in _ON
    if asked is None:
        private = (address or environment.get("RAY_ADDRESS") or "local") == "local"
        watched = sys.stderr.isatty() and not environment.get("CI")
        return (private or watched) and not local and find_spec("aiohttp") is not None
    if asked and find_spec("aiohttp") is None:
        what = "the page needs aiohttp"
        raise ConfigurationError(what, what_to_do="pip install 'ray[default]', or aiohttp alone")
    return asked


@contextmanager
def page_of_run(
    *, asked: bool | None, local: bool, address: str | None = None
) -> Iterator[BesidePage | None]:
    """The page of a run, which has an address but does not answer yet; None: it has none.

    Raises:
        ConfigurationError: see `is_wanted`.
    """
    if not is_wanted(asked=asked, local=local, environment=os.environ, address=address):
        yield None
        return
    from raystream.ui.beside import BesidePage

    page = BesidePage()
    try:
        yield page
    finally:
        page.end()


class OwnJob:
    """The job that this process runs, for its page; started by the job's first status.

    Args:
        name: Of the job.
        runtime: Runs it.
        page: Shows it.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        runtime: Runtime,
        page: BesidePage,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._runtime = runtime
        self._page = page
        self._clock = clock
        self._status: StatusDocument | None = None
        self._told = 0.0

    def take(self, status: StatusDocument) -> None:
        """Note a status; the first one opens the page."""
        first = self._status is None
        self._status, self._told = status, self._clock()
        if first:
            self._page.begin(self)

    def statuses(self) -> Sequence[StatusDocument]:
        """See `ui.jobs.Jobs.statuses`."""
        if self._status is None:
            return ()
        over = self._status.outcome is not None
        if over or self._clock() - self._told < SILENT_S:
            return (self._status,)
        return (replace(self._status, state="silent"),)

    def history(self, job: str) -> Sequence[Point]:
        """See `ui.jobs.Jobs.history`; its page has been there since the run began."""
        return ()

    def rows(self, job: str, step: str, marks: Any) -> tuple[list[dict[str, Any]], Any]:
        """See `ui.jobs.Jobs.rows`."""
        return as_json(*self._ask("tail", step, known_marks(marks)))

    def act(self, job: str, order: str) -> str:
        """See `ui.jobs.Jobs.act`; a stop is not waited for: this process ends with it."""
        from raystream.job.stop_kind import StopKind

        if order == "savepoint":
            return f"savepoint: {self._ask('savepoint', None)}"
        self._ask("stop", StopKind(order), None, f"{order} by the page")
        return "it is ending, and its page with it"

    def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            return self._runtime.ask(method, *arguments)
        except RaystreamError:
            raise
        except Exception as error:
            what = f"job {self._name} cannot answer now"
            raise RaystreamError(what, what_to_do="ask again in some seconds") from error
