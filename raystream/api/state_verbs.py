"""Verbs that remember rows."""

from __future__ import annotations

import typing

from raystream.api.arguments import checked
from raystream.api.expressions import column_name
from raystream.api.origin import wrong
from raystream.api.shown import Shown
from raystream.operators.dedupe.step import Dedupe
from raystream.operators.step import Step
from raystream.units import Duration, milliseconds


class StateVerbs(Shown):
    """What a stream does with rows that came before."""

    def _then(
        self,
        step: Step,
        name: str | None,
        parallelism: int | None,
        key: tuple[str, ...] | None = None,
    ) -> typing.Self:
        """The stream behind a step; without `key` with that of this one."""
        raise NotImplementedError

    @checked
    def dedupe(
        self,
        *columns: str,
        within: Duration | None = None,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """The first row of each value of these columns; its duplicates are counted and left out.

        The first is the one that arrives first. What has passed is state, in checkpoints: with
        `within` as long as the watermark has not passed it by so much, else for ever. Rows that
        come later than that pass again. Null is a value like any other. Of a window with
        rs.early only final rows count.

        Args:
            columns: Names of the columns that are compared.
            within: A row is a duplicate if its event time is at most so far behind that of the
                row which passed, such as "1h"; default: whenever it comes.

        >>> rows = [{"order": 1, "n": 1}, {"order": 1, "n": 2}, {"order": 2, "n": 3}]
        >>> rs.Pipeline("example").read(rs.Rows(rows)).dedupe("order").collect().to_dicts()
        [{'order': 1, 'n': 1}, {'order': 2, 'n': 3}]
        """
        names = tuple(column_name(column, "dedupe") for column in columns)
        if not names:
            text = "dedupe needs a column"
            raise wrong(text, 'write .dedupe("id")')
        reach = None if within is None else milliseconds(within, "within")
        return self._then(Dedupe(names, reach), name, parallelism)
