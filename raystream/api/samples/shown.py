"""The first rows of a stream, computed here from a sample."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING

from raystream.api.arguments import checked
from raystream.api.pipeline import Pipeline
from raystream.graph.logical import Edge
from raystream.operators.step import Step
from raystream.units import Duration

if TYPE_CHECKING:
    import polars as pl


class Shown:
    """A preview that works before anything runs."""

    _pipeline: Pipeline
    _edge: Edge
    _key: tuple[str, ...]

    def _then(
        self,
        step: Step,
        name: str | None,
        parallelism: int | None,
        key: tuple[str, ...] | None = None,
    ) -> typing.Self:
        """Append a step and return its stream; without `key` it has the key of this one."""
        raise NotImplementedError

    @checked
    def show(self, limit: int = 10, *, timeout: Duration = "10s") -> None:
        """Show the first rows of this stream, computed here from a sample; see `Pipeline.show`.

        Args:
            limit: Maximum number of rows.
            timeout: Maximum time to read.

        >>> rs.Pipeline("example").read(rs.Rows([{"n": 1}])).show()
        read-memory: 1 row
        ...
        a sample of 1 row, read in ... s; nothing was written
        """
        from raystream.api.notebook.tables import show
        from raystream.api.samples.sample import sample

        show(sample(self._pipeline, self._edge, limit, timeout))

    @checked
    def collect(self, limit: int = 1000, *, timeout: Duration = "10s") -> pl.DataFrame:
        """Collect the rows that `show` shows, as a Polars frame.

        Args:
            limit: Maximum number of rows.
            timeout: Maximum time to read.

        >>> rs.Pipeline("example").read(rs.Rows([{"n": 1}])).collect().to_dicts()
        [{'n': 1}]
        """
        from raystream.api.samples.sample import sample

        (found,) = sample(self._pipeline, self._edge, limit, timeout)
        return found.frame
