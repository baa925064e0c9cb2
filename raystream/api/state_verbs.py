"""Verbs that remember rows."""

from __future__ import annotations

import typing

from raystream.api.arguments import checked, chosen
from raystream.api.column_verbs import ColumnVerbs
from raystream.api.expressions import column_name
from raystream.api.origin import wrong
from raystream.operators.dedupe.step import Dedupe
from raystream.units import Duration, milliseconds


class StateVerbs(ColumnVerbs):
    """Verbs of a stream that depend on earlier rows."""

    @checked
    def dedupe(
        self,
        *columns: str,
        keep: str = "first",
        within: Duration | None = None,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Keep the first row of each value of these columns; duplicates are counted and dropped.

        The first is the one that arrives first. The values seen are state, kept in checkpoints:
        with `within` until the watermark has passed them by that much, else forever. Rows that come
        later than that pass again. Null is a value like any other. Of a window with rs.early only
        final rows count.

        With `keep="last"` the row with the greatest event time stays instead, of equal ones the one
        that arrives last: a stream of changes, see docs/changes.md.

        Args:
            columns: Names of the columns that are compared.
            keep: `first` or `last`.
            within: A row is a duplicate if its event time is at most this far behind that of the
                row which passed, such as "1h"; default: whenever it comes. With `keep="last"`: how
                long a value without rows is kept.

        >>> rows = [{"order": 1, "n": 1}, {"order": 1, "n": 2}, {"order": 2, "n": 3}]
        >>> rs.Pipeline("example").read(rs.Rows(rows)).dedupe("order").collect().to_dicts()
        [{'order': 1, 'n': 1}, {'order': 2, 'n': 3}]
        """
        return self._deduped("dedupe", columns, keep, within, name, parallelism)

    @checked
    def drop_duplicates(
        self,
        *columns: str,
        keep: str = "first",
        within: Duration | None = None,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """The same as `dedupe`, by the word of pandas and Spark.

        Args:
            columns: Names of the columns that are compared.
            keep: `first` or `last`.
            within: As for `dedupe`.

        >>> rows = [{"order": 1, "n": 1}, {"order": 1, "n": 2}, {"order": 2, "n": 3}]
        >>> rs.Pipeline("example").read(rs.Rows(rows)).drop_duplicates("order").collect().rows()
        [(1, 1), (2, 3)]
        """
        return self._deduped("drop_duplicates", columns, keep, within, name, parallelism)

    def _deduped(
        self,
        verb: str,
        columns: tuple[str, ...],
        keep: str,
        within: Duration | None,
        name: str | None,
        parallelism: int | None,
    ) -> typing.Self:
        names = tuple(column_name(column, verb) for column in columns)
        if not names:
            text = f"{verb} needs a column"
            raise wrong(text, f'write .{verb}("id")')
        reach = None if within is None else milliseconds(within, "within")
        last = chosen(keep, "keep", ["first", "last"]) == "last"
        return self._then(Dedupe(names, reach, last=last), name, parallelism)
