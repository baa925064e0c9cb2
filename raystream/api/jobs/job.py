"""`rs.Job`: a handle to a job on a Ray cluster, wherever it was started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from raystream.api.arguments import checked
from raystream.api.jobs.progress import say
from raystream.api.notebook.cells import in_notebook, shell
from raystream.api.notebook.live_card import LiveCard
from raystream.cell_names import in_cells
from raystream.job.outcome import Outcome

if TYPE_CHECKING:
    from raystream.observe.status import StatusDocument
    from raystream.runtime.ray.asked import Asked

LOOK_S = 0.3
"""Pause between two polls of a job that is waited for."""

PROGRESS_S = 2.5
"""Counters are up to a second old, so rates over a shorter time are meaningless."""


class Job:
    """A job that runs or has run on a Ray cluster; made by `p.submit()` and `rs.job(name)`.

    The job lives apart from this object: interrupting a call or deleting the object has no effect
    on it. In a notebook it is shown as a card.

    >>> job = rs.job("requests-per-minute")
    >>> job, job.status().state
    (Job('requests-per-minute'), 'running')
    """

    def __init__(
        self,
        remote: Asked | None,
        name: str,
        outcome: Outcome | None = None,
        last: StatusDocument | None = None,
    ) -> None:
        self.name = name
        self._remote = remote
        self._outcome = outcome
        self._last = last
        self._card: LiveCard | None = None

    def __repr__(self) -> str:
        """Name, and how it ended if that is known."""
        return f"Job({self.name!r}{f', {self._outcome.kind}' if self._outcome else ''})"

    def _repr_html_(self) -> str:
        """The card as of now, for notebooks that do not show a live one."""
        from raystream.observe.card import card

        before = self._last
        return card(self.status(), before)

    def _ipython_display_(self) -> None:
        """Show the live card in a notebook, a line in a terminal."""
        if not in_notebook():
            from raystream.observe.live_line import live_line

            print(live_line(self.status()))
            return
        if self._card is not None:
            self._card.end()
        self._card = LiveCard(self)
        self._card.keep_up()

    # -- questions -----------------------------------------------------------------------------

    def status(self) -> StatusDocument:
        """Full status as of now; after the end the last status, with the outcome.

        Raises:
            RaystreamError: the job is gone from the cluster, and this object never saw it.

        >>> job.status().state
        'running'
        """
        from raystream.observe.status import StatusDocument

        found = self._ask_or_last("status", self._last) or StatusDocument(self.name, "recovering")
        outcome = self.outcome()
        if outcome is not None:
            found = found.ended(outcome.kind, outcome.message)
        self._last = _in_cells(found)
        return self._last

    def progress(self) -> dict[str, Any]:
        """Progress since the last call as a plain dict, like `lastProgress` of Spark.

        Rates are over some seconds, which the first call waits for; `why_waiting` says what the job
        waits for.

        Raises:
            RaystreamError: as `status`.

        >>> job.progress()["rows_in"]
        0
        """
        from raystream.observe.progress import progress

        before = self._last or self.status()
        now, deadline = self.status(), time.monotonic() + PROGRESS_S
        while now.state != "ended" and now.uptime_s - before.uptime_s < PROGRESS_S:
            if time.monotonic() >= deadline:  # it does not run yet, or has restarted
                break
            time.sleep(LOOK_S)
            now = self.status()
        return progress(now, before if before.run == now.run else None)

    def outcome(self) -> Outcome | None:
        """How the job ended; None while it is running.

        Raises:
            RaystreamError: as `status`.

        >>> job.outcome() is None  # it runs
        True
        """
        if self._outcome is None:
            self._outcome = _named(self._ask_or_last("outcome", None))
        return self._outcome

    def wait(self, timeout: float | None = None) -> Outcome | None:
        """Wait for the end. An interrupt ends the wait, never the job.

        Args:
            timeout: Seconds; None: no limit.

        Returns:
            How it ended; None: it has not ended yet.

        Raises:
            RaystreamError: as `status`.

        >>> job.wait(timeout=60).kind
        'finished'
        """
        with self.just_looking():
            if not in_notebook():
                return self._wait(timeout, self.outcome)
            card = LiveCard(self)
            card.update()
            try:
                return self._wait(timeout, lambda: None if card.update() else self.outcome())
            finally:
                card.update()
        return None

    def _wait(self, timeout: float | None, look: Callable[[], Outcome | None]) -> Outcome | None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (found := look()) is None:
            left = LOOK_S if deadline is None else min(LOOK_S, deadline - time.monotonic())
            if left <= 0:
                return None
            self._outcome = _named(self._ask_or_last("ended", None, left))
        return found

    @checked
    def tail(
        self, step: str, *, limit: int | None = None, timeout: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """Rows that leave a step (or enter a sink), live; a sample if there are many.

        The job does not wait for the reader: rows not fetched in time are skipped.

        Args:
            step: Name of a step, as in `p.explain()` and `job.status()`.
            limit: Stop after this many rows.
            timeout: Stop after this many seconds.

        Raises:
            ConfigurationError: there is no such step.

        >>> list(job.tail("counts", limit=1))
        [{'ip': '10.0.0.1', 'count': 3}]
        """
        from raystream.api.jobs.tail import tail

        return tail(self, step, limit, timeout)

    def logs(self, lines: int = 100) -> list[str]:
        """Newest lines of the logs of the job's processes.

        Args:
            lines: Maximum number.

        >>> job.logs(20)
        ['counts[1] | started']
        """
        from raystream.runtime.ray.logs import logs

        return logs(self._remote, lines) if self._remote is not None else []

    # -- orders --------------------------------------------------------------------------------

    @checked
    def stop(
        self,
        *,
        drain: bool = False,
        savepoint: str | bool = False,
        timeout: float | None = None,
    ) -> Outcome | None:
        """Stop the job after a last commit, and wait until it has ended.

        Args:
            drain: Close every window first (event time goes to infinity); otherwise open windows
                stay in the last checkpoint and the next run continues with them.
            savepoint: Keep the last checkpoint as a savepoint: True, or the target address.
            timeout: Seconds to wait; the job ends also if it takes longer.

        Returns:
            How it ended; None: it has not ended yet.

        Raises:
            RaystreamError: as `status`.

        >>> job.stop(drain=True).kind
        'stopped'
        """
        from raystream.job.stop_kind import StopKind
        from raystream.storage.savepoints import absolute

        if self.outcome() is None:
            kind = StopKind.DRAIN if drain else StopKind.STOP
            target = (
                None if savepoint is False else "" if savepoint is True else absolute(savepoint)
            )
            self._ask("stop", kind, target, _caller("stop"))
        with self.just_looking(ending=True):
            return self._wait(timeout, self.outcome)
        return None

    @checked
    def cancel(self) -> Outcome | None:
        """End the job at once, without a last commit.

        The next run continues from its last checkpoint.

        >>> job.cancel().kind
        'cancelled'
        """
        from raystream.job.stop_kind import StopKind

        if self.outcome() is None:
            self._ask("stop", StopKind.CANCEL, None, _caller("cancel"))
        with self.just_looking(ending=True):
            return self._wait(None, self.outcome)
        return None

    @checked
    def savepoint(self, target: str | None = None) -> str:
        """Make a checkpoint that is kept until it is deleted by hand, complete in itself.

        Args:
            target: Address; default: below the job's storage.

        Returns:
            Its address, for `from_savepoint=` of another run.

        Raises:
            RaystreamError: it could not be made.

        >>> job.savepoint()
        's3://bucket/checkpoints/requests-per-minute/savepoints/7'
        """
        from raystream.storage.savepoints import absolute

        return str(self._ask("savepoint", None if target is None else absolute(target)))

    @checked
    def checkpoint(self) -> int:
        """Make a checkpoint now and wait until its output is committed; returns its number.

        Raises:
            RaystreamError: it could not be made.

        >>> job.checkpoint()
        7
        """
        return int(self._ask("checkpoint"))

    def rows_since(self, step: str, marks: Any) -> tuple[list[dict[str, Any]], Any]:
        """For `tail`: rows since the call that returned `marks`, and the next marks."""
        return self._ask_or_last("tail", ([], marks), step, marks)  # type: ignore[no-any-return]

    # -- inside --------------------------------------------------------------------------------

    def _ask(self, method: str, *arguments: Any) -> Any:
        if self._remote is None:
            from raystream.runtime.ray.asked import Gone

            what = f"job {self.name} has ended"
            raise Gone(what)
        return self._remote.ask(method, *arguments)

    def _ask_or_last(self, method: str, last: Any, *arguments: Any) -> Any:
        """The answer; for a job that is gone, what is known of it."""
        from raystream.runtime.ray.asked import Gone

        try:
            return self._ask(method, *arguments)
        except Gone:
            self._outcome = self._outcome or self._of_the_past()
            if last is None and self._outcome is None:
                raise
            return last

    def _of_the_past(self) -> Outcome | None:
        """How this run ended, from storage: the coordinator exits some time after the end."""
        if self._last is None:
            return None
        from raystream.api.jobs.past import past_of

        found = (run for run in past_of(self.name) if run.run == self._last.run)
        return next((run.outcome for run in found if run.outcome is not None), None)

    @contextmanager
    def just_looking(self, ending: bool = False) -> Iterator[None]:
        """Swallow an interrupt in a cell; in a script it ends the script."""
        try:
            yield
        except KeyboardInterrupt:
            what = "is still ending" if ending else "runs on; job.stop() ends it"
            say(f"{self.name} {what}")
            if shell() is None:
                raise


def _caller(verb: str) -> str:
    """Who asked for the end of the job, for its history."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # the user is not known here
        user = "somebody"
    return f"{verb} by {user} on {socket.gethostname()}"


def _named(outcome: Outcome | None) -> Outcome | None:
    return outcome and replace(outcome, message=in_cells(outcome.message))


def _in_cells(status: StatusDocument) -> StatusDocument:
    """Put the names of this notebook's cells where the cluster only knows IPython's files."""
    restarts = tuple(
        replace(
            each, cause=in_cells(each.cause), lines=tuple(in_cells(line) for line in each.lines)
        )
        for each in status.restarts
    )
    return replace(status, message=in_cells(status.message), restarts=restarts)


@checked
def job(name: str, *, address: str | None = None) -> Job:
    """Get a job by name, also from another process than the one that started it.

    Args:
        name: Of the pipeline.
        address: Of the Ray cluster. Default: RAY_ADDRESS, else a head on this machine.

    Raises:
        ConfigurationError: no cluster, or no such job; the message lists the jobs there are.

    >>> rs.job("requests-per-minute").status().state
    'running'
    """
    from raystream.api.jobs.past import past_of
    from raystream.errors import ConfigurationError

    try:
        return on_cluster(name, address)
    except ConfigurationError:
        over = past_of(name)
        if not over or over[0].outcome is None:
            raise
        return Job(None, name, over[0].outcome, over[0].document())


def on_cluster(name: str, address: str | None) -> Job:
    """A job that a cluster knows, running or just ended.

    Raises:
        ConfigurationError: as `job`; also for one of which only storage knows.
    """
    from raystream.runtime.ray.remote_job import find_job

    return Job(find_job(name, address), name)


@checked
def jobs(*, address: str | None = None) -> list[Job]:
    """Every job of a cluster by name, also those that have ended; empty if there is no cluster.

    Args:
        address: As for `job`.

    >>> [job.name for job in rs.jobs()]
    ['requests-per-minute']
    """
    from raystream.runtime.ray.remote_job import all_jobs

    return [Job(remote, remote.name) for remote in all_jobs(address)]
