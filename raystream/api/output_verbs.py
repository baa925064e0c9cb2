"""Verbs with several outputs: branches of a split, side outputs of a process."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from raystream.api.arguments import checked
from raystream.api.expressions import expression, named
from raystream.api.origin import wrong
from raystream.api.samples.shown import Shown
from raystream.api.verb_options import policy_of
from raystream.graph.nearest import did_you_mean
from raystream.operators.split.step import Split

_TAKEN = ("main", "errors", "late")


class OutputVerbs(Shown):
    """Verbs of any stream."""

    def _side(self, tag: str) -> Any:
        """The stream of a side output of the last step."""
        raise NotImplementedError

    def _tags(self) -> Sequence[str]:
        """The side outputs of the last step."""
        raise NotImplementedError

    @checked
    def split(
        self,
        branches: Mapping[str, Any] | None = None,
        /,
        *,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
        **more: Any,
    ) -> typing.Self:
        """Send each row to the first branch whose condition it meets; the others go on.

        A branch is `.tagged("web")` of the stream that is returned. Every row is in exactly one
        output; rows of a branch that nobody reads are dropped and counted.

        Args:
            branches: Branch -> condition, SQL text or rs.col expression; null is not true. Needed
                only for branches called `name` or `parallelism`; others are keywords.
            more: Further branches, asked after these, in this order.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": -5}, {"n": 7}, {"n": 50}]))
        >>> rest = rows.split(negative="n < 0", large="n > 9")
        >>> rest.collect().rows(), rest.tagged("large").collect().rows()
        ([(7,)], [(50,)])
        """
        every = {**named(branches, "split", "web=\"kind = 'web'\""), **more}
        if not every:
            text = "split needs a branch"
            raise wrong(text, "write .split(web=\"kind = 'web'\")")
        check_tags(every, "a branch")
        conditions = {tag: expression(each, f"split({tag}=)") for tag, each in every.items()}
        return self._then(Split(conditions, policy_of(errors)), name, parallelism)

    def tagged(self, tag: str) -> Any:
        """The rows of a branch of `.split(..)`, or those that a process emitted with this tag.

        Args:
            tag: One of the branches, or of the `side_outputs`.

        Raises:
            ConfigurationError: there is no such output.

        >>> class Signs(rs.Process):
        ...     def on_row(self, row, ctx):
        ...         if row["n"] < 0:
        ...             ctx.emit("negative", row)
        ...         else:
        ...             yield row
        >>> rows = rs.Pipeline("example").read(rs.Rows([{"k": 1, "n": -5}, {"k": 1, "n": 7}]))
        >>> signs = rows.key_by("k").process(Signs(), side_outputs=["negative"])
        >>> signs.tagged("negative").collect().rows()
        [(1, -5)]
        """
        known = [each for each in self._tags() if each != "late"]
        if tag not in known:
            text = f"this stream has no side output {tag!r}"
            advice = 'write .process(.., side_outputs=["a"]) or .split(a="n > 1")'
            raise wrong(text, did_you_mean(tag, known) if known else advice)
        return self._side(tag)


def check_tags(tags: Iterable[object], what: str) -> None:
    """Refuse names of outputs that mean something else.

    Args:
        tags: The names.
        what: What they name: `a side output`.

    Raises:
        ConfigurationError: at the user's line.
    """
    for tag in tags:
        if tag in _TAKEN or not isinstance(tag, str) or not tag:
            text = f"{what} cannot be called {tag!r}"
            raise wrong(text, "give it another name")
