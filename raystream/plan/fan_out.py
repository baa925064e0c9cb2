"""Rows that several steps read: partial results of all are made where the rows are.

Steps that read the same rows cannot be in one chain, so the rows would be sent to each. A step that
only prepares an exchange (partial aggregates of a window) joins the chain of the rows instead, and
only its partials are sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from raystream.ids import StepName
from raystream.operators.fan_out.parts import FanOut, Part
from raystream.operators.side_outputs import dead_letters_of
from raystream.plan.rewrite import Draft, DraftEdge


def fanned_out(drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts, with one step for the local ones that read the same rows as others.

    Args:
        drafts: In topological order.
    """
    found: list[Draft] = []
    gone: dict[StepName, StepName] = {}
    passed: dict[StepName, StepName] = {}
    for draft in drafts:
        if draft.name in gone:
            continue
        found.append(replace(draft, links=tuple(_relinked(draft.links, gone, passed))))
        users = [d for d in drafts if any(_reads(link, draft) for link in d.links)]
        parts = [user for user in users if _is_local(user, draft)]
        if parts and len(users) > 1:
            step = _joined(found[-1], parts, drafts, passes=len(parts) < len(users))
            found.append(step)
            gone |= {part.name: step.name for part in parts}
            passed[draft.name] = step.name
    return found


def _joined(
    source: Draft, parts: Sequence[Draft], drafts: Sequence[Draft], *, passes: bool
) -> Draft:
    step = FanOut(tuple(Part(p.name, str(p.origin), p.step) for p in parts), passes)
    name = StepName(f"{parts[0].name}s")
    while any(draft.name == name for draft in drafts):
        name = StepName(f"{name}_")
    return replace(
        parts[0],
        name=name,
        step=step,
        links=(DraftEdge(source.name),),
        output=source.output,
        also=(),
    )


def _relinked(
    links: Sequence[DraftEdge], gone: dict[StepName, StepName], passed: dict[StepName, StepName]
) -> Iterator[DraftEdge]:
    for link in links:
        if link.source in gone:
            tag = link.source if link.tag == "main" else dead_letters_of(link.source)
            yield replace(link, source=gone[link.source], tag=tag)
        elif link.source in passed and link.tag == "main":
            yield replace(link, source=passed[link.source])
        else:
            yield link


def _reads(link: DraftEdge, source: Draft) -> bool:
    return link.source == source.name and link.tag == "main"


def _is_local(draft: Draft, source: Draft) -> bool:
    (link, *others) = draft.links
    alone = not others and link.keys is None and link.port == 0
    return alone and draft.step.is_local and draft.parallelism == source.parallelism
