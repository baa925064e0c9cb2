"""What a run will read: the splits of each source, and where reading cannot start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raystream.api.jobs.progress import patiently
from raystream.connectors.splits import made_since
from raystream.connectors.traits import discovery_interval
from raystream.errors import ConfigurationError
from raystream.graph.logical import Node

if TYPE_CHECKING:
    from raystream.checkpoint.records import Checkpoint, Restore
    from raystream.connectors.base import Split


def discovered(
    nodes: Sequence[Node],
    base: Checkpoint | Restore | None,
    *,
    bounded: bool,
    say: Callable[[str], None],
) -> dict[str, tuple[Split, ...]]:
    """Splits of each source; reports sources that have none.

    Args:
        nodes: The sources.
        base: What the job continues from; None: it starts without a checkpoint.
        bounded: Whether the run ends by itself.
        say: Receives lines for the person who started the run.

    Raises:
        ConfigurationError: one cannot be read from its configured start, and has no position.
    """
    found = {}
    for node in nodes:
        source = source_of(node)
        with patiently(f"waiting for an answer from {source.describe()}"):
            splits = tuple(source.discover(bounded=bounded))
        if not splits:
            say(_nothing(source, bounded=bounded))
        _check(splits, source, _headers(base, node.name))
        found[node.name] = splits
    return found


def source_of(node: Node) -> Any:
    """The source of a Read."""
    step: Any = node.step
    return step.source


def _nothing(source: Any, *, bounded: bool) -> str:
    nothing = f"{source.describe()}: nothing is there to be read"
    if bounded or not source.grows():
        return nothing
    interval = discovery_interval(source)
    return f"{nothing} yet; it is looked for every {interval:g} s"


def _headers(base: Checkpoint | Restore | None, step: str) -> list[Mapping[str, Any]]:
    states = () if base is None else base.steps.get(step, ())
    return [state.header for state in states if state.header]


def _check(splits: Sequence[Split], source: Any, headers: Sequence[Mapping[str, Any]]) -> None:
    """A saved position overrides the start; newer splits are read from their very beginning."""
    saved = {split for header in headers for split in header.get("positions", ())}
    same = bool(headers) and all(h.get("source") == source.describe() for h in headers)
    new = made_since(splits, saved, same_source=same)
    for split in splits:
        if split.needs_position and split.id not in saved | new:
            what, where, advice = split.needs_position
            raise ConfigurationError(what, where, advice)
