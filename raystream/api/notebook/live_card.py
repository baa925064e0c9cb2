"""The card of a job in a notebook: shown where a cell asked for it, and kept up to date."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from raystream.api.jobs.live_view import Memory

if TYPE_CHECKING:
    from raystream.api.jobs.job import Job

EVERY_S = 1.0


class LiveCard:
    """One card in a notebook.

    Args:
        job: Whose card it is.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._memory = Memory()
        self._handle: Any = None
        self._over = threading.Event()

    def update(self) -> bool:
        """Update the card; False: the job has ended, there is nothing more to show."""
        from raystream.observe.card import card

        status = self._job.status()
        html = {
            "text/html": card(status, self._memory.before(status)),
            "text/plain": repr(self._job),
        }
        if self._handle is None:
            from IPython.display import display

            self._handle = display(html, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(html, raw=True)
        return status.state != "ended"

    def keep_up(self) -> None:
        """Show the card, and update it while the notebook continues."""
        if self.update():
            threading.Thread(target=self._run, name="raystream-card", daemon=True).start()

    def end(self) -> None:
        """Stop updating: only the newest card of a job is live."""
        self._over.set()

    def _run(self) -> None:
        try:
            while not self._over.wait(EVERY_S) and self.update():
                pass
        except Exception:  # noqa: BLE001 - the job, Ray or the kernel is gone; the last card stays
            return
