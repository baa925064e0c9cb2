"""Hidden columns as older versions called them, so that their checkpoints are still restored."""

from __future__ import annotations

import polars as pl

from raystream.ids import HIDDEN

_OLD = "__"
_OLD_PANE = f"{_OLD}pane"


def renamed(state: pl.DataFrame) -> pl.DataFrame:
    r"""State of a window with the hidden columns under their present names.

    Version 0.1 put two underscores in front of hidden columns, and let nobody else do so;
    today such a column may be a key of the user. State of before is told by the column of its pane.

    Args:
        state: Rows of a segment.

    >>> renamed(pl.DataFrame({"__pane": [0], "ip": ["a"]})).columns
    ['\x1fraystream\x1fpane', 'ip']
    """
    if _OLD_PANE not in state.columns or any(name.startswith(HIDDEN) for name in state.columns):
        return state
    old = [name for name in state.columns if name.startswith(_OLD)]
    return state.rename({name: HIDDEN + name.removeprefix(_OLD) for name in old})
