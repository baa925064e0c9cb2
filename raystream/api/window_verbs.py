"""Verbs that look at several rows of a key in the order of event time."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

from raystream.api.arguments import checked
from raystream.api.origin import at_call, wrong
from raystream.api.verb_options import policy_of
from raystream.graph.logical import Edge
from raystream.operators.over.step import Over
from raystream.operators.with_processing_time.step import WithProcessingTime
from raystream.units import Duration, milliseconds

if TYPE_CHECKING:
    from raystream.api.over import OverStream
    from raystream.api.pipeline import Pipeline


class WindowVerbs:
    """Verbs of a stream over the rows around each row."""

    _pipeline: Pipeline
    _edge: Edge
    _key: tuple[str, ...]

    @checked
    def with_processing_time(
        self, *, name: str | None = None, parallelism: int | None = None
    ) -> typing.Self:
        """Make the time of the clock the event time: windows behind are windows of the clock.

        Each row gets the time at which it comes here, and event time goes on with the clock,
        whether rows come or not: no row is late. Another run over the same rows gives other
        windows; what is emitted is committed once (docs/windows.md).

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 2}]))
        >>> timed = rows.with_processing_time().window(rs.tumbling("365d")).agg(n=rs.count())
        >>> timed.collect()["n"].sum()
        2
        """
        step = WithProcessingTime()
        mine: Any = self
        made: typing.Self = mine._then(step, name, parallelism)
        return made

    @checked
    def over(
        self,
        *,
        rows: int | None = None,
        range: Duration | None = None,  # noqa: A002 - the word of SQL
        ttl: Duration | None = None,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> OverStream:
        """Look back from each row at those of its key before it; `.agg(..)` says what to compute.

        Rows are in the order of event time; each is emitted, with the new columns, once the
        watermark has passed it. Without `key_by` all rows are one sequence.

        Args:
            rows: Aggregates are over so many rows: the row itself and those just before it.
            range: Or over the rows that are at most so much older, such as "1h", and the row's
                equals in event time. Without `rows` and `range`: over all rows so far.
            ttl: Rows of a key with a longer pause between them do not see each other, and what is
                kept of a key is forgotten then. Default: never; state grows with the number of
                keys, unless there is only a `range`.
            errors: See Stream; also for a result that does not fit its type.
            name: Identity of the step in checkpoints.
            parallelism: Subtasks.

        Raises:
            ConfigurationError: both `rows` and `range`, or less than one row.

        >>> bids = [{"ts": t, "item": i, "price": p} for t, i, p in [(1, "a", 3), (2, "a", 5)]]
        >>> stream = rs.Pipeline("example").read(rs.Rows(bids), event_time="ts").key_by("item")
        >>> above = stream.over(range="1m").agg(mean=rs.mean("price"), last=rs.lag("price"))
        >>> above.select("price", "mean", "last").collect().rows()
        [(3, 3.0, None), (5, 4.0, 3)]
        """
        from raystream.api.over import OverStream

        if rows is not None and range is not None:
            text = "over takes rows= or range=, not both"
            raise wrong(text, 'write .over(rows=10) or .over(range="1h")')
        if rows is not None and rows < 1:
            text = f"over takes 1 row or more, not {rows}"
            raise wrong(text, "the row itself is counted: rows=2 is it and the one before")
        with at_call():
            reach = None if range is None else milliseconds(range, "range")
            kept = None if ttl is None else milliseconds(ttl, "ttl")
        if reach == 0:
            text = "range must be more than 0"
            raise wrong(text, "for example 1h")
        base = Over(self._key, {}, rows, reach, kept, policy_of(errors))
        stream: Any = self
        return OverStream(self._pipeline, stream, base, name, parallelism)
