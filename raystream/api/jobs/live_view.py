"""The live view of a running job on a terminal; elsewhere one plain line from time to time."""

from __future__ import annotations

import atexit
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, TextIO

from raystream.runtime.log_format import told_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from raystream.observe.live_lines import Line
    from raystream.observe.status import StatusDocument

LOOK_BACK_S = 5.0
"""Rates are means over this many seconds."""

LINE_EVERY_S = 10.0
"""Seconds between two lines if there is no terminal: enough for a log."""

_STYLES = {"good": "green", "fair": "yellow", "bad": "red", "bold": "bold", "faint": "dim"}


class Memory:
    """Status documents of the last seconds, for rates."""

    def __init__(self) -> None:
        self._seen: deque[StatusDocument] = deque()

    def before(self, status: StatusDocument) -> StatusDocument | None:
        """Return a document of some seconds ago; remembers this one."""
        seen = self._seen
        if seen and seen[-1].uptime_s > status.uptime_s:
            seen.clear()  # the coordinator was restarted
        then = status.uptime_s - LOOK_BACK_S
        # the nearest, not the first one before: counts come once a second, documents irregularly
        while len(seen) > 1 and abs(seen[1].uptime_s - then) <= abs(seen[0].uptime_s - then):
            seen.popleft()
        seen.append(status)
        return seen[0] if seen[0] is not status else None


class PlainLines:
    """One line every ten seconds, and one at each restart: for logs and for dumb terminals.

    Args:
        file: Target; None: standard error at the time a line is due.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._memory = Memory()
        self._due: float | None = None
        self._restarts = 0

    def update(self, status: StatusDocument) -> None:
        """Print the line if it is due."""
        before = self._memory.before(status)
        if self._due is None:
            self._due = status.uptime_s + LINE_EVERY_S
        if status.uptime_s >= self._due or status.restart_count > self._restarts:
            from raystream.observe.live_line import live_line

            self._due = status.uptime_s + LINE_EVERY_S
            line = live_line(status, before)
            shown = told_line(line) if self._file is None else line
            print(shown, file=self._file or sys.stderr, flush=True)
        self._restarts = status.restart_count

    def end(self) -> None:
        """Do nothing: no cleanup is needed."""


class LiveView:
    """A view of a job that is redrawn with each status, at the bottom of a terminal.

    What the process prints meanwhile appears above it. `end` leaves the last view in place and
    restores the cursor; call it in a `finally`.

    Args:
        console: Console to draw on; one that is not a terminal gets plain lines.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._memory = Memory()
        self._live: Live | None = None
        self._turn = threading.RLock()
        drawable = console.is_terminal and not console.is_dumb_terminal
        self._plain = None if drawable else PlainLines(console.file)  # type: ignore[arg-type]

    def update(self, status: StatusDocument) -> None:
        """Show this status."""
        if self._plain is not None:
            self._plain.update(status)
            return
        from raystream.observe.live_lines import live_lines

        lines = live_lines(status, self._memory.before(status))
        if self._live is None:
            self._live = self._begin()
        with self._turn:
            self._live.update(drawn(lines[: self._console.size.height - 1]), refresh=True)

    def end(self) -> None:
        """Leave the last view in place and restore the cursor. Idempotent."""
        live, self._live = self._live, None
        if live is not None:
            with self._turn:
                live.stop()
            atexit.unregister(self.end)

    def _begin(self) -> Live:
        from rich.live import Live

        live = Live(
            console=self._console,
            auto_refresh=False,
            # output for a pipe must not end up on the terminal
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
            vertical_overflow="crop",
        )
        live.start()
        self._take_turns()
        atexit.register(self.end)
        return live

    def _take_turns(self) -> None:
        """Let threads print above the view only between two frames.

        Rich counts the lines to erase before it draws and notes the new count while it draws: a
        thread that prints in between erases too few lines, or one too many.
        """
        from rich.file_proxy import FileProxy

        turn = self._turn

        class InTurn(FileProxy):
            def write(self, text: str) -> int:
                with turn:
                    return super().write(text)

            def flush(self) -> None:
                with turn:
                    super().flush()

        for name in ("stdout", "stderr"):  # Rich puts back what was there before both
            stream = getattr(sys, name)
            if isinstance(stream, FileProxy):
                setattr(sys, name, InTurn(self._console, stream.rich_proxied_file))


def drawn(lines: list[Line]) -> Text:
    """Join the lines into one text for a console: cut at its right edge, never wrapped."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis", end="")
    for index, line in enumerate(lines):
        text.append("\n" if index else "")
        for piece, style in line:
            text.append(printable(piece), _STYLES.get(style, ""))
    return text


def printable(text: str) -> str:
    r"""Replace characters that a terminal would obey: causes may quote data that a job read.

    >>> printable("a\x1b[31mb\nc")
    'a [31mb c'
    """
    return "".join(each if each.isprintable() else " " for each in text)
