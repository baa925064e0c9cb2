"""Draw a pipeline: boxes of steps from left to right, rendered here, without network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import shorten

from raystream.graph.logical import LogicalGraph, Node
from raystream.operators.step import Inputs, Step

CHARACTERS = 32
WIDTH = 232
LINE = 16
PADDING = 9
GAP_X = 52
GAP_Y = 18

_TINT = {
    "read": "rgba(38,132,255,.16)",
    "write": "rgba(54,179,126,.18)",
    "window": "rgba(255,171,0,.20)",
    "": "rgba(128,128,128,.12)",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A run of consecutive steps, and where its box is drawn."""

    steps: tuple[Node, ...]
    column: int
    top: int

    @property
    def kind(self) -> str:
        """The kind that decides the tint."""
        return _kind(self.steps[0].step)

    @property
    def height(self) -> int:
        """Height: two lines per step."""
        return 2 * LINE * len(self.steps) + 2 * PADDING

    @property
    def left(self) -> int:
        """X of the left edge."""
        return 1 + self.column * (WIDTH + GAP_X)

    @property
    def middle(self) -> int:
        """Y at which arrows begin and end."""
        return self.top + self.height // 2


def picture(graph: LogicalGraph, note: str = "") -> str:
    """Render HTML with an inline SVG, readable on light and dark pages; all text is escaped.

    Args:
        graph: May be unfinished.
        note: A line below the picture.
    """
    boxes = _boxes(graph)
    title = f"<b>{escape(graph.name)}</b>"
    below = f"<div><small>{escape(note)}</small></div>" if note else ""
    return f'<div style="overflow-x:auto">{title}<br/>{_svg(graph, boxes)}{below}</div>'


def outline(graph: LogicalGraph, error: Exception) -> str:
    """The steps of a pipeline that cannot be planned yet, as text, with the reason.

    Args:
        graph: As far as it is written.
        error: What its plan raised.
    """
    lines = [f"{node.name}: {node.step.words()}" for node in graph.nodes]
    return "\n".join([f"{graph.name}: not complete, {error}", *(f"  {line}" for line in lines)])


def _svg(graph: LogicalGraph, boxes: Sequence[Box]) -> str:
    if not boxes:
        return ""
    width = max(box.left for box in boxes) + WIDTH + 1
    height = max(box.top + box.height for box in boxes) + 1
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" '
        'fill="currentColor" role="img">'
    )
    marks = (
        '<defs><marker id="raystream-arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
    )
    parts = [head, marks, *_arrows(boxes), *(_drawn(box) for box in boxes), "</svg>"]
    return "".join(parts)


def _drawn(box: Box) -> str:
    parts = [
        f'<g><title>{escape(_told(box))}</title><rect x="{box.left}" y="{box.top}" '
        f'width="{WIDTH}" height="{box.height}" rx="6" fill="{_TINT[box.kind]}" '
        'stroke="currentColor" stroke-opacity=".45"/>'
    ]
    for number, node in enumerate(box.steps):
        x, y = box.left + PADDING, box.top + PADDING + LINE * (2 * number + 1) - 4
        parts.append(_text(x, y, node.name, 'font-weight="bold"'))
        parts.append(_text(x, y + LINE, node.step.words(), 'fill-opacity=".75"'))
    return "".join(parts) + "</g>"


def _told(box: Box) -> str:
    return "\n".join(f"{node.name}: {node.step.words()} ({node.origin})" for node in box.steps)


def _text(x: int, y: int, text: str, style: str) -> str:
    short = shorten(text, CHARACTERS, placeholder=" ..")
    if short == "..":  # one long word
        short = text[: CHARACTERS - 2] + ".."
    return f'<text x="{x}" y="{y}" {style}>{escape(short)}</text>'


def _arrows(boxes: Sequence[Box]) -> list[str]:
    home = {node.id: box for box in boxes for node in box.steps}
    found = []
    for box in boxes:
        for edge in box.steps[0].inputs:
            source = home[edge.source]
            x1, y1, x2, y2 = source.left + WIDTH, source.middle, box.left, box.middle
            bend = (x1 + x2) // 2
            found.append(
                f'<path d="M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}" fill="none" '
                'stroke="currentColor" stroke-opacity=".6" marker-end="url(#raystream-arrow)"/>'
            )
            if edge.tag != "main":
                found.append(_text(x1 + 4, (y1 + y2) // 2 - 4, edge.tag, 'font-style="italic"'))
    return found


def _boxes(graph: LogicalGraph) -> list[Box]:
    """Groups in columns by their longest path from a source, one below the other."""
    columns: dict[int, int] = {}
    heights: dict[int, int] = {}
    boxes = []
    for group in _groups(graph):
        column = max((columns[edge.source] + 1 for edge in group[0].inputs), default=0)
        box = Box(tuple(group), column, heights.get(column, 1))
        heights[column] = box.top + box.height + GAP_Y
        columns.update(dict.fromkeys((node.id for node in group), column))
        boxes.append(box)
    return boxes


def _groups(graph: LogicalGraph) -> list[list[Node]]:
    """Group the steps: small steps that simply follow one another share a box."""
    users: dict[int, int] = {}
    for node in graph.nodes:
        for edge in node.inputs:
            users[edge.source] = users.get(edge.source, 0) + 1
    groups: dict[int, list[Node]] = {}
    for node in graph.nodes:
        before = groups.get(node.inputs[0].source) if node.inputs else None
        if before is not None and _joins(node, before[-1], users):
            before.append(node)
            groups[node.id] = before
        else:
            groups[node.id] = [node]
    unique = {id(group): group for group in groups.values()}
    return list(unique.values())


def _joins(node: Node, last: Node, users: Mapping[int, int]) -> bool:
    alone = users[last.id] == 1 and node.inputs[0].source == last.id
    small = _is_small(node.step) and _is_small(last.step)
    return alone and small and node.inputs[0].tag == "main"


def _is_small(step: Step) -> bool:
    return step.inputs is Inputs.ONE and not _kind(step)


def _kind(step: Step) -> str:
    """The kind that decides the tint."""
    if step.source is not None:
        return "read"
    if step.sink is not None:
        return "write"
    return "window" if step.keeps_state else ""
