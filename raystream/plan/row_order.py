"""Rows carry their place in the input to windows that aggregate the first or last row."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.ids import StepName
from raystream.plan.rewrite import Draft


def reads_in_order(drafts: Sequence[Draft]) -> frozenset[StepName]:
    """Names of the Reads whose rows reach a `first` or `last`, but not as rows of another window.

    Args:
        drafts: In topological order.
    """
    asked: set[tuple[StepName, str]] = set()
    for draft in reversed(drafts):
        tags = {tag for name, tag in asked if name == draft.name}
        if draft.step.needs_order(tags):
            asked |= {(link.source, link.tag) for link in draft.links}
    reads = {draft.name for draft in drafts if draft.step.source is not None}
    return frozenset(name for name, _ in asked if name in reads)
