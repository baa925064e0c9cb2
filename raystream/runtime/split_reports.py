"""What a source subtask tells of its splits (names: observe.flow.SplitStatus)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from raystream.connectors.base import Position
from raystream.ids import SplitId
from raystream.observe.silence import Silence
from raystream.time.clock import Clock
from raystream.time.split_watermarks import SplitTime

MOST_SPLITS = 1000
"""Maximum number of splits that a subtask reports: thousands of files must not bloat the status."""


def reported(
    splits: Sequence[SplitTime],
    positions: Mapping[SplitId, Position],
    *,
    paused: Collection[SplitId],
    silent: Mapping[SplitId, Silence],
    native: str,
    emitted: Mapping[SplitId, float],
    clock: Clock,
) -> list[dict[str, Any]]:
    """Position and event time of each split; if there are too many, of those that hold it back.

    Args:
        splits: All of them.
        positions: Where reading continues.
        paused: Those that wait for others.
        silent: Those that cannot be read for now, with the peer that does not answer.
        native: Whether the native reader reads them.
        emitted: Age of the newest row when it was handed on, seconds.
        clock: Of the subtask.
    """
    now, wall = clock.now(), clock.wall_ms()
    if len(splits) > MOST_SPLITS:
        splits = sorted(splits, key=_holding_back)[:MOST_SPLITS]
    return [
        {
            **_unanswered(silent.get(each.split)),
            "split": each.split,
            "position": positions.get(each.split),
            "watermark_ms": each.watermark,
            "idle": each.idle,
            "paused": each.split in paused,
            "native": native,
            "emit_lag_seconds": emitted.get(each.split),
            "quiet_seconds": None if each.quiet_since is None else now - each.quiet_since,
            "behind_seconds": None if each.highest is None else (wall - each.highest) / 1000,
        }
        for each in splits
    ]


def _holding_back(split: SplitTime) -> tuple[bool, bool, int]:
    """Sort key: splits without a watermark first, then the lowest, idle ones last."""
    return (split.idle, split.watermark is not None, split.watermark or 0)


def _unanswered(silence: Silence | None) -> dict[str, Any]:
    return {} if silence is None else {"silent": silence.who, "silent_seconds": silence.seconds}
