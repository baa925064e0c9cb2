"""The steps of a pipeline, in order; re-running a notebook cell replaces its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raystream.api.jobs.fingerprint import fingerprint
from raystream.api.jobs.progress import say
from raystream.api.notebook.cells import CellRun, at_end_of_cell, current_cell
from raystream.api.origin import wrong
from raystream.graph.logical import Edge, Node


class RegisteredSteps:
    """Steps of one pipeline.

    When a cell adds steps in a new execution, the steps of its earlier executions become
    uncertain: a step that is added again unchanged stays, with everything downstream of it. Steps
    that were not added again when the cell ends, or when the pipeline is read, are removed with
    everything downstream. Outside of notebooks steps are only added.
    """

    def __init__(self) -> None:
        self._nodes: dict[int, Node] = {}
        self._runs: dict[int, CellRun] = {}
        self._in_question: dict[int, CellRun] = {}
        self._next = 0

    def __len__(self) -> int:
        """Number of steps."""
        return len(self._nodes)

    def nodes(self) -> list[Node]:
        """All steps, inputs before users."""
        self._settle()
        return list(self._nodes.values())

    def present(self) -> list[Node]:
        """All steps, including uncertain ones; a half-executed cell settles nothing."""
        return list(self._nodes.values())

    def certain(self) -> list[Node]:
        """The steps that are not uncertain."""
        return [node for node in self._nodes.values() if node.id not in self._in_question]

    def node(self, edge: Edge) -> Node:
        """The step with this output.

        Raises:
            ConfigurationError: its cell was re-run and no longer adds it.
        """
        node = self._nodes.get(edge.source)
        if node is None:
            text = "this stream belongs to a step that was replaced when its cell ran again"
            raise wrong(text, "run the cell that makes the stream again, too")
        return node

    def enter(self) -> None:
        """Called before a step is added: detects that its cell is being re-run."""
        now = current_cell()
        if any(asked != now for asked in self._in_question.values()):
            self._settle()
        if now is None:
            return
        again = [
            number
            for number, run in self._runs.items()
            if run.cell == now.cell and run.run != now.run and number not in self._in_question
        ]
        if again and not self._in_question:
            at_end_of_cell(self._settle)
        self._in_question.update(dict.fromkeys(again, now))

    def add(self, node: Node) -> Node:
        """Add a step and set its id; one that was there before keeps its id."""
        for edge in node.inputs:
            self.node(edge)
        number = self._again(node)
        if number is None:
            number, self._next = self._next, self._next + 1
        else:
            del self._in_question[number]
        kept = replace(node, id=number)
        self._nodes[number] = kept
        now = current_cell()
        if now is not None:
            self._runs[number] = now
        return kept

    def _again(self, node: Node) -> int | None:
        """Number of the uncertain step that is added again."""
        candidates = [self._nodes[number] for number in self._in_question]
        return next((old.id for old in candidates if _same(old, node)), None)

    def _settle(self) -> None:
        """Remove the steps that are still uncertain."""
        gone = {number: self._nodes[number] for number in self._in_question}
        self._in_question = {}
        if not gone:
            return
        cells = {self._runs[number].cell for number in gone}
        for node in self._nodes.values():
            if any(edge.source in gone for edge in node.inputs):
                gone[node.id] = node
        for number in gone:
            del self._nodes[number]
        others = [node for number, node in gone.items() if not self._belongs(number, cells)]
        for number in gone:
            self._runs.pop(number, None)
        if others:
            say(_gone(others))

    def _belongs(self, number: int, cells: set[str]) -> bool:
        run = self._runs.get(number)
        return run is not None and run.cell in cells


def _same(old: Node, new: Node) -> bool:
    if (old.inputs, old.named, old.parallelism) != (new.inputs, new.named, new.parallelism):
        return False
    if new.named and old.name != new.name:
        return False
    return fingerprint(old.step) == fingerprint(new.step)


def _gone(nodes: Sequence[Node]) -> str:
    names = ", ".join(node.name for node in nodes)
    return (
        f"a step was replaced, so the steps behind it were removed: {names}; run their cells again"
    )
