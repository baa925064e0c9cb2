"""Rewrite user steps to steps that run: pre-aggregation, fused row functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from raystream.data.changes import Changes
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph.logical import Edge, Node, Origin
from raystream.ids import StepName
from raystream.operators.side_outputs import dead_letters_of
from raystream.operators.step import Inputs, Step

_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class DraftEdge:
    """Rows of output `tag` of the draft `source`, as input `port`.

    `keys`: how to partition; `everywhere`: they go to all subtasks.
    """

    source: StepName
    tag: str = "main"
    keys: tuple[str, ...] | None = None
    port: int = 0
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A step that will run, not yet in a chain.

    Args:
        also: Steps of the user that are part of it, or that pass its rows unchanged.
    """

    name: StepName
    step: Step
    origin: Origin
    links: tuple[DraftEdge, ...]
    inputs: tuple[Schema, ...]
    output: Schema
    parallelism: int
    also: tuple[StepName, ...] = ()


def rewrite(
    nodes: Sequence[Node], schemas: Mapping[Edge, Schema], widths: Mapping[int, int]
) -> list[Draft]:
    """The steps that run, in topological order.

    Args:
        nodes: In topological order, all of them used.
        schemas: Columns of every output.
        widths: Parallelism of every node by id.
    """
    writing = _Rewriting(nodes, schemas, widths)
    for node in nodes:
        writing.add(node)
    return _fused(writing.drafts)


class _Rewriting:
    def __init__(
        self, nodes: Sequence[Node], schemas: Mapping[Edge, Schema], widths: Mapping[int, int]
    ) -> None:
        self.drafts: list[Draft] = []
        self._schemas = schemas
        self._widths = widths
        self._links: dict[Edge, tuple[DraftEdge, ...]] = {}
        self._consumed = {edge for node in nodes for edge in node.inputs}
        self._names = {node.name for node in nodes}

    def add(self, node: Node) -> None:
        """Add the steps that run for this node."""
        asked = {edge.tag for edge in self._consumed if edge.source == node.id}
        steps = node.step.expand(self._inputs(node), asked)
        if not steps and self._same_width(node):
            self._pass(node)
            return
        *local, main = steps or (node.step,)
        inputs, links = self._inputs(node), self._links_into(node, main)
        for step in local:
            inputs, links = self._local(node, step, main)
        self._draft(node, node.name, main, links, inputs, Edge(node.id))
        self._name_outputs(node)
        if local:
            dead = Edge(node.id, "errors")
            self._links[dead] += (DraftEdge(links[0].source, "errors"),)

    def _pass(self, node: Node) -> None:
        """Pass the rows of the input unchanged, under the node's name, too."""
        links = self._links[Edge(node.id)] = self._links[node.inputs[0]]
        if links[0].tag == "main":
            self._also(links[0].source, node.name)

    def _also(self, name: StepName, passed: StepName) -> None:
        number = next(n for n, draft in enumerate(self.drafts) if draft.name == name)
        draft = self.drafts[number]
        self.drafts[number] = replace(draft, also=(*draft.also, passed))

    def _local(
        self, node: Node, local: Step, main: Step
    ) -> tuple[tuple[Schema, ...], tuple[DraftEdge, ...]]:
        """A step before the exchange: it follows its input, with the same parallelism."""
        sources, inputs = self._links[node.inputs[0]], self._inputs(node)
        name = self._free(f"{node.name[: _LONGEST_NAME - 8]}-local")
        output = local.outputs(inputs)["main"]
        width = self._width_of(sources[0].source)
        self.drafts.append(Draft(name, local, node.origin, sources, inputs, output, width))
        return (output,), (DraftEdge(name, keys=main.routing(0)),)

    def _links_into(self, node: Node, main: Step) -> tuple[DraftEdge, ...]:
        found: list[DraftEdge] = []
        for port, edge in enumerate(node.inputs):
            if port in main.broadcasts():
                all_ = (replace(each, port=port, everywhere=True) for each in self._links[edge])
                found.extend(all_)
                continue
            keys = main.routing(port)
            links = self._link(edge, node) if keys is None else self._links[edge]
            for link in links:
                found.append(replace(link, port=port, keys=link.keys if keys is None else keys))
        return tuple(found)

    def _draft(
        self,
        node: Node,
        name: StepName,
        step: Step,
        links: tuple[DraftEdge, ...],
        inputs: tuple[Schema, ...],
        edge: Edge,
    ) -> None:
        output = self._schemas[edge]
        width = self._widths[node.id]
        self.drafts.append(Draft(name, step, node.origin, links, inputs, output, width))

    def _link(self, edge: Edge, node: Node) -> tuple[DraftEdge, ...]:
        """Rows that change subtask keep their order per key, if they have one."""
        links = self._links[edge]
        schema = self._schemas[edge]
        if self._width_of(links[0].source) == self._widths[node.id]:
            return links
        keys = schema.key or (() if schema.changes is None else _identity(schema.changes, node))
        return tuple(replace(link, keys=keys) for link in links) if keys else links

    def _name_outputs(self, node: Node) -> None:
        for tag in ("main", *node.step.tags(), "errors"):
            self._links[Edge(node.id, tag)] = (DraftEdge(node.name, tag),)

    def _inputs(self, node: Node) -> tuple[Schema, ...]:
        return tuple(self._schemas[edge] for edge in node.inputs)

    def _width_of(self, name: StepName) -> int:
        return next(draft.parallelism for draft in self.drafts if draft.name == name)

    def _same_width(self, node: Node) -> bool:
        return self._width_of(self._links[node.inputs[0]][0].source) == self._widths[node.id]

    def _free(self, name: StepName) -> StepName:
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name


def _identity(changes: Changes, node: Node) -> tuple[str, ...]:
    """Columns that keep the changes of a row in one subtask.

    Raises:
        ConfigurationError: there are none.
    """
    if changes.by:
        return changes.by
    what = f"step {node.name!r} has another parallelism than the rows in front of it, which change"
    what += " earlier rows and have no key that keeps them in order"
    advice = "give both the same parallelism, or keep the key columns"
    raise ConfigurationError(what, str(node.origin), advice)


def _fused(drafts: Sequence[Draft]) -> list[Draft]:
    """Fuse adjacent row functions into one step: rows are built and taken apart once.

    The step keeps the name of the first, so that adding one after it renames nothing.
    """
    kept: list[Draft] = []
    renamed: dict[StepName, StepName] = {}
    for draft in drafts:
        links = tuple(
            _of_fused(link, renamed[link.source]) if link.source in renamed else link
            for link in draft.links
        )
        here = replace(draft, links=links)
        before = _neighbour(here, kept, drafts)
        both = None if before is None else before.step.fused(here.step, *_origins(before, here))
        if before is None or both is None:
            kept.append(here)
            continue
        also = (*before.also, draft.name, *draft.also)
        kept[kept.index(before)] = replace(before, step=both, output=here.output, also=also)
        renamed[draft.name] = before.name
    return kept


def _origins(*drafts: Draft) -> Iterator[tuple[StepName, str]]:
    return ((draft.name, str(draft.origin)) for draft in drafts)


def _of_fused(link: DraftEdge, name: StepName) -> DraftEdge:
    """Dead letters of a function that is part of another step have their own output there."""
    tag = dead_letters_of(link.source) if link.tag == "errors" else link.tag
    return replace(link, source=name, tag=tag)


def _neighbour(draft: Draft, kept: Sequence[Draft], drafts: Sequence[Draft]) -> Draft | None:
    """The previous step, if this one is its only reader, in the same subtasks."""
    link = draft.links[0] if draft.links else None
    if draft.step.inputs is not Inputs.ONE or link is None or not _plain(link):
        return None
    before = next(d for d in kept if d.name == link.source)
    if not (before.parallelism == draft.parallelism):
        return None
    original = next(d for d in drafts if d.name == draft.name).links[0].source
    users = [d for d in drafts for o in d.links if o.source == original and o.tag == "main"]
    return before if len(users) == 1 else None


def _plain(link: DraftEdge) -> bool:
    return link.keys is None and link.tag == "main"


def widths(
    nodes: Sequence[Node], default: int, caps: Mapping[StepName, int | None]
) -> dict[int, int]:
    """Parallelism of every node, as its step decides.

    Args:
        nodes: In topological order.
        default: Used if nothing is set.
        caps: How many subtasks of a Read can have work, by step name.
    """
    found: dict[int, int] = {}
    for node in nodes:
        above = [found[edge.source] for edge in node.inputs]
        width = node.step.width(node.parallelism, default, above, caps.get(node.name))
        found[node.id] = max(1, width)
    return found
