"""Where rows carry their place in the input: to windows that ask for the first or last row."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.graph.aggregates import AggregateKind
from raystream.graph.steps import Read, WindowGlobal, WindowLocal
from raystream.ids import StepName
from raystream.plan.rewrite import Draft

_PICKS = (AggregateKind.FIRST, AggregateKind.LAST)


def reads_in_order(drafts: Sequence[Draft]) -> frozenset[StepName]:
    """Names of the Reads whose rows reach a `first` or `last`, but not as rows of another window.

    Args:
        drafts: In topological order.
    """
    asked: set[tuple[StepName, str]] = set()
    for draft in reversed(drafts):
        if _asks(draft, asked):
            asked |= {(link.source, link.tag) for link in draft.links}
    reads = {draft.name for draft in drafts if isinstance(draft.step, Read)}
    return frozenset(name for name, _ in asked if name in reads)


def _asks(draft: Draft, asked: set[tuple[StepName, str]]) -> bool:
    if isinstance(draft.step, WindowLocal | WindowGlobal):
        kinds = {aggregate.kind for aggregate in draft.step.aggregate.aggregates.values()}
        return not kinds.isdisjoint(_PICKS) or (draft.name, "late") in asked
    return (draft.name, "main") in asked
