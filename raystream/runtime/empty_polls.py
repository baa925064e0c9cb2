"""How long a source may pause after a poll that gave nothing: the longer, the longer it is quiet.

An empty poll costs 0.1 to 0.3 ms of CPU. Every 5 ms that was half of what an idle job took; a
source where rows have come lately is still polled so often that nobody notices the pause.
"""

from __future__ import annotations

SHORTEST_S = 0.005
LONGEST_S = 0.05
"""As long as a broker holds back an answer to wait for more records (fetch.wait.max.ms)."""

_SHARE = 0.1
"""Of the quiet time: who has waited a second for a row waits 50 ms more without harm."""


class EmptyPolls:
    """Pauses after empty polls of one source.

    >>> polls = EmptyPolls()
    >>> [polls.pause(now) for now in (0.0, 0.25, 9.0)]
    [0.005, 0.025, 0.05]
    >>> polls.came(); polls.pause(9.1)
    0.005
    """

    def __init__(self) -> None:
        self._since: float | None = None

    def came(self) -> None:
        """A poll gave something."""
        self._since = None

    def pause(self, now: float) -> float:
        """Seconds until the next poll, after an empty one at `now` (monotonic s)."""
        since = self._since = now if self._since is None else self._since
        return min(LONGEST_S, max(SHORTEST_S, (now - since) * _SHARE))
