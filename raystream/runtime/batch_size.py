"""How large a source makes its batches: large for columns, small where each row takes long."""

from __future__ import annotations

BATCH_ROWS = 20_000
"""The largest: group-by costs 36 ns/row here against 95 at 2,000 rows."""

FIRST_ROWS = 500
"""The first, before anybody knows how long a row takes."""

LEAST_ROWS = 10

LONG_S = 0.5
"""A batch may not take longer: barriers, stops and the status wait for its end."""

SHORT_S = 0.1
"""After a batch that took less, the next may be twice as large."""


class BatchSize:
    """Rows of the next batch, from how long the chain worked on the last ones.

    A function of the user that takes 2 ms for a row would hold up a checkpoint for 40 s with a
    batch of 20,000.

    >>> size = BatchSize()
    >>> size.took(500, 1.0)  # 2 ms each
    >>> size.rows
    125
    """

    def __init__(self) -> None:
        self.rows = FIRST_ROWS

    def took(self, rows: int, seconds: float) -> None:
        """A batch was worked on.

        Args:
            rows: How many it had.
            seconds: How long the chain took, without waiting for others.
        """
        if seconds > LONG_S:
            fitting = int(rows * LONG_S / 2 / seconds)
            self.rows = max(LEAST_ROWS, min(self.rows, fitting))
        elif seconds < SHORT_S:
            self.rows = min(BATCH_ROWS, self.rows * 2)
