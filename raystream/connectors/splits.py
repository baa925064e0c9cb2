"""Which subtask reads a split, and where it continues: saved positions override starts."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from raystream.connectors.base import Position, Split
from raystream.errors import StorageError
from raystream.ids import SplitId

_LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)


def owner(split: SplitId, parallelism: int) -> int:
    """Index of the subtask that reads a split; the same in every process and attempt.

    Ids that differ only in their last number (`requests/3`, `part-0003.jsonl`) are assigned
    round-robin, so that the partitions of one topic spread evenly.

    Args:
        split: Id of the split.
        parallelism: Number of subtasks of the source, at least 1.

    Returns:
        0 .. parallelism - 1.

    >>> sorted(owner(f"requests/{partition}", 2) for partition in range(4))
    [0, 0, 1, 1]
    """
    match = _LAST_NUMBER.fullmatch(split)
    if match is None:
        return zlib.crc32(split.encode()) % parallelism
    before, number, after = match.groups()
    return (zlib.crc32((before + after).encode()) + int(number)) % parallelism


def owned(splits: Iterable[Split], index: int, parallelism: int) -> list[Split]:
    """The splits that subtask `index` of `parallelism` reads, in their order."""
    return [split for split in splits if owner(split.id, parallelism) == index]


def merge(saved: Iterable[Mapping[SplitId, Position]]) -> dict[SplitId, Position]:
    """Merge positions of all former subtasks into one map, whatever the parallelism was then.

    Args:
        saved: Per former subtask: split -> position.

    Raises:
        StorageError: Two subtasks have the same split: the checkpoint is damaged.

    >>> merge([{"t/0": 5}, {"t/1": 7}])
    {'t/0': 5, 't/1': 7}
    """
    positions: dict[SplitId, Position] = {}
    for one in saved:
        for split, position in one.items():
            if positions.setdefault(split, position) != position:
                what = f"two positions for split {split} in one checkpoint"
                raise StorageError(what, what_to_do="restore from another checkpoint")
    return positions


def resume(
    run: Iterable[Split], positions: Mapping[SplitId, Position], *, bounded: bool
) -> list[Split]:
    """Every split of the job, each with the position where it continues.

    A saved position overrides the start of the run; the end is always that of the run. A split
    of the checkpoint that the run does not know (a file that is gone, a partition not listed yet)
    is kept, so that its position is not lost; in a bounded run it has nothing left to read.

    Args:
        run: Splits as discovered when the run started, with ends if it is bounded.
        positions: Saved positions, from `merge`.
        bounded: Whether the run ends.

    >>> resume([Split("t/0", 0, 9), Split("t/1", 0, 4)], {"t/0": 5}, bounded=True)
    [Split(id='t/0', start=5, end=9), Split(id='t/1', start=0, end=4)]
    """
    found = [replace(split, start=positions.get(split.id, split.start)) for split in run]
    known = {split.id for split in found}
    kept = [
        Split(name, position, position if bounded else None)
        for name, position in positions.items()
        if name not in known
    ]
    return found + kept


def made_since(
    run: Iterable[Split], saved: Collection[SplitId], *, same_source: bool
) -> set[SplitId]:
    """Splits of the run that were created after the checkpoint: read from their beginning.

    The others belong to a topic that the user has added: they start where the user configured.

    Args:
        run: Splits of the run.
        saved: Splits of the checkpoint.
        same_source: The source is configured as when the checkpoint was taken.

    >>> made_since([Split("a/1", 9), Split("b/0", 9)], ["a/0"], same_source=False)
    {'a/1'}
    """
    groups = {split.rpartition("/")[0] for split in saved}
    new = (split.id for split in run if split.id not in saved)
    return {name for name in new if same_source or name.rpartition("/")[0] in groups}


def assign(
    run: Iterable[Split],
    saved: Iterable[Mapping[SplitId, Position]],
    index: int,
    parallelism: int,
    *,
    bounded: bool,
) -> list[Split]:
    """What one source subtask reads in an attempt: `merge`, `resume` and `owned` in one.

    Args:
        run: Splits of the run.
        saved: Positions of all former subtasks (empty: nothing was saved yet).
        index: Index of the subtask.
        parallelism: Number of subtasks of the source now.
        bounded: Whether the run ends.
    """
    return owned(resume(run, merge(saved), bounded=bounded), index, parallelism)
