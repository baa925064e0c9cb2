"""Propagate the message key of a record to sinks whose rows have no key of their own."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.connectors.traits import has_record_keys, own_key
from raystream.ids import StepName
from raystream.plan.rewrite import Draft


def keyed_by_message(drafts: Sequence[Draft]) -> frozenset[StepName]:
    """Names of the Reads that must carry the message key, and of the Writes that pass it on.

    Args:
        drafts: In topological order.
    """
    carrying: set[StepName] = set()
    for draft in drafts:
        if _carries(draft, carrying):
            carrying.add(draft.name)
    writes = {d.name for d in drafts if d.name in carrying and _wants(d)}
    dead = {d.name for d in drafts if d.name in carrying and d.step.gives_dead_letters()}
    return frozenset(writes | _sources_of(writes | dead, drafts))


def _carries(draft: Draft, carrying: set[StepName]) -> bool:
    if draft.step.source is not None:
        return has_record_keys(draft.step.source)
    if not draft.step.keeps_records:
        return False
    return all(link.tag == "main" and link.source in carrying for link in draft.links)


def _wants(draft: Draft) -> bool:
    sink = draft.step.sink
    return (
        sink is not None
        and not draft.inputs[0].key
        and has_record_keys(sink)
        and own_key(sink) is None
    )


def _sources_of(names: set[StepName], drafts: Sequence[Draft]) -> set[StepName]:
    above = set(names)
    for draft in reversed(drafts):
        if draft.name in above:
            above |= {link.source for link in draft.links}
    return {d.name for d in drafts if d.name in above and d.step.source is not None}
