"""Rows that a later row replaces: a downstream window would count every firing as another row.

Early rows are marked (data.batch.IS_FINAL) and dropped by the downstream window. With
`allowed_lateness` it is unknown which row of a window is the last, so it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from raystream.errors import ConfigurationError
from raystream.graph.logical import Edge, Node


def check_final(nodes: Iterable[Node]) -> None:
    """Refuse a window downstream of a window that emits its rows again.

    Args:
        nodes: In topological order.

    Raises:
        ConfigurationError: at the line of the second window.
    """
    replaced: dict[Edge, Node] = {}
    for node in nodes:
        first = next((replaced[edge] for edge in node.inputs if edge in replaced), None)
        if node.step.counts_rows and first is not None:
            raise _counted_twice(node, first)
        if node.step.gives_again():
            replaced[Edge(node.id)] = node
        elif first is not None:
            replaced[Edge(node.id)] = first


def _counted_twice(node: Node, first: Node) -> ConfigurationError:
    what = (
        f"step {first.name!r} has allowed_lateness and emits a window again for each late row; "
        f"{node.name!r} would count every one of these rows"
    )
    advice = (
        f"leave allowed_lateness out of {first.name!r} and wait for late rows at the source "
        "(watermark, out_of_orderness)"
    )
    return ConfigurationError(what, str(node.origin), advice)
