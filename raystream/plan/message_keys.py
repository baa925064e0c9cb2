"""Where the message key of a record travels along: to sinks whose rows have no key of their own."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.graph.policies import ErrorPolicy
from raystream.graph.steps import Read, RowFunctions, WindowGlobal, WindowLocal, Write
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
    dead = {d.name for d in drafts if d.name in carrying and _has_dead_letters(d)}
    return frozenset(writes | _sources_of(writes | dead, drafts))


def _carries(draft: Draft, carrying: set[StepName]) -> bool:
    if isinstance(draft.step, Read):
        return _has_message_keys(draft.step.source)
    if isinstance(draft.step, WindowLocal | WindowGlobal):
        return False
    return all(link.tag == "main" and link.source in carrying for link in draft.links)


def _wants(draft: Draft) -> bool:
    step = draft.step
    return (
        isinstance(step, Write)
        and not draft.inputs[0].key
        and _has_message_keys(step.sink)
        and getattr(step.sink, "key", None) is None
    )


def _has_dead_letters(draft: Draft) -> bool:
    """Dead letters keep the key of the record they come from."""
    step = draft.step
    functions = step.functions if isinstance(step, RowFunctions) else (step,)
    return any(getattr(each, "errors", None) is ErrorPolicy.DLQ for each in functions)


def _sources_of(names: set[StepName], drafts: Sequence[Draft]) -> set[StepName]:
    above = set(names)
    for draft in reversed(drafts):
        if draft.name in above:
            above |= {link.source for link in draft.links}
    return {draft.name for draft in drafts if draft.name in above and isinstance(draft.step, Read)}


def _has_message_keys(connector: object) -> bool:
    """Kafka-like: its records carry metadata, a key among it."""
    return hasattr(connector, "metadata_columns")
