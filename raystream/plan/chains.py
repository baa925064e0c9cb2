"""Forward edges at equal parallelism become a chain; all other edges are exchanges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from raystream.ids import StepName
from raystream.operators.step import Inputs
from raystream.plan.physical import ChainSpec, ExchangeKind, ExchangeSpec, PhysicalPlan, StepSpec
from raystream.plan.rewrite import Draft, DraftEdge


def physical_plan(drafts: Sequence[Draft], specs: dict[StepName, StepSpec]) -> PhysicalPlan:
    """Chains in topological order, and the exchanges between them.

    Args:
        drafts: Steps in topological order.
        specs: How each will run.
    """
    by_name = {draft.name: draft for draft in drafts}
    groups = _groups(drafts, by_name)
    chains = tuple(_chain([specs[d.name] for d in group], group) for group in groups)
    chain_of = {d.name: c.name for c, g in zip(chains, groups, strict=True) for d in g}
    between = [
        (link, draft)
        for draft in drafts
        for link in draft.links
        if chain_of[link.source] != chain_of[draft.name]
    ]
    exchanges = tuple(
        ExchangeSpec(
            number,
            chain_of[link.source],
            link.source,
            link.tag,
            chain_of[draft.name],
            _kind(link, by_name[link.source], draft),
            link.keys or (),
            link.port,
        )
        for number, (link, draft) in enumerate(between)
    )
    return PhysicalPlan(chains, exchanges)


def _groups(drafts: Sequence[Draft], by_name: dict[StepName, Draft]) -> list[list[Draft]]:
    users = Counter(link.source for draft in drafts for link in draft.links if link.tag == "main")
    groups: list[list[Draft]] = []
    group_of: dict[StepName, list[Draft]] = {}
    for draft in drafts:
        if _fuses(draft, by_name, users):
            group = group_of[draft.links[0].source]
            group.append(draft)
        else:
            group = [draft]
            groups.append(group)
        group_of[draft.name] = group
    return groups


def _fuses(draft: Draft, by_name: dict[StepName, Draft], users: Counter[StepName]) -> bool:
    if len(draft.links) != 1 or draft.step.inputs is Inputs.MANY:
        return False
    link = draft.links[0]
    source = by_name[link.source]
    return (
        link.tag == "main"
        and link.keys is None
        and source.parallelism == draft.parallelism
        and users[link.source] == 1
    )


def _kind(link: DraftEdge, source: Draft, target: Draft) -> ExchangeKind:
    if link.everywhere:
        return ExchangeKind.BROADCAST
    if link.keys is not None:
        return ExchangeKind.HASH
    same = source.parallelism == target.parallelism
    return ExchangeKind.FORWARD if same else ExchangeKind.REBALANCE


def _chain(steps: list[StepSpec], group: Sequence[Draft]) -> ChainSpec:
    stateful = [spec.name for spec in steps if spec.step.keeps_state]
    chain = ChainSpec("", tuple(steps), group[0].parallelism)
    if stateful:
        name = stateful[0]
    elif chain.source is not None:
        name = chain.source.name
    else:
        name = steps[-1].name
    return ChainSpec(name, chain.steps, chain.parallelism)
