"""After a commit: abort transactions that dead attempts left open, delete what no restart needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from raystream.checkpoint.keys import (
    DONES,
    SLOTS,
    STATE,
    attempt_of_segment,
    done_key,
    number_of,
    slot_key,
)
from raystream.checkpoint.protocol.commands import AbortStrays, Delete, ListKeys, Sleep
from raystream.checkpoint.protocol.log import read_slot
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.slots import look_for_newer, pauses
from raystream.checkpoint.records import Checkpoint, Owner, Restore, SlotRecord


@dataclass(frozen=True, slots=True)
class Cleaned:
    """How much was deleted."""

    slots: int = 0
    segments: int = 0


def abort_strays(owner: Owner, tries: int = 1) -> Procedure[int]:
    """Recovery 5: abort open transactions of earlier attempts, to reduce the latency of readers.

    Run it after `recover`, again after each checkpoint while any is left, and when the job ends.
    Commits wait while it runs, so it tries only once, except at the end of a job.

    Returns:
        Number of open transactions that are left.
    """
    left = 0
    for number, pause in zip(range(tries), pauses(), strict=False):
        left = yield from ask(AbortStrays(owner.attempt))
        if left == 0 or number + 1 == tries:
            return left
        yield from ask(Sleep(pause))
    return left


def abort_attempt(owner: Owner, tries: int) -> Procedure[int]:
    """Abort open transactions of our own attempt too, after its subtasks have ended.

    Only when no transaction that the log names still has to be committed. Repeats until it has
    found nothing twice: what a subtask sent just before its end may become visible later.

    Returns:
        Number of open transactions that are left.
    """
    left, calm = 0, 0
    for _, pause in zip(range(tries), pauses(), strict=False):
        left = yield from ask(AbortStrays(owner.attempt + 1))
        calm = calm + 1 if left == 0 else 0
        if calm > 1:
            break
        yield from ask(Sleep(pause))
    return left


def clean_up(owner: Owner, *, keep: int = 1, orphans: bool = False) -> Procedure[Cleaned]:
    """Delete slots, `done` marks and segments that no restart can need.

    Deletes only below the newest checkpoint that has `done`, never that checkpoint, never attempt
    keys, and never while a newer attempt exists. Run it after `done` or after `recover`, not while
    a checkpoint is being committed. Orphans are deleted even before any `done`: attempts that fail
    because the disk is full would otherwise leave it full.

    Args:
        owner: Our attempt; its seal is in the log.
        keep: How many committed checkpoints to keep, at least 1.
        orphans: Also delete segments of earlier attempts that no record names; once per attempt.

    Raises:
        Superseded: a newer attempt exists.
    """
    slots = yield from _numbers(SLOTS)
    dones = yield from _numbers(DONES)
    log = yield from _read(slots, owner)
    floor = oldest_needed(log, dones, keep)
    if floor is None and not orphans:
        return Cleaned()
    floor = min(slots, default=0) if floor is None else floor
    old = [slot for slot in slots if slot < floor]
    needed = _segments(record for slot, record in log.items() if slot >= floor)
    garbage = _segments(log[slot] for slot in old if slot in log) - needed
    if orphans:
        keys = yield from ask(ListKeys(STATE, "clean list"))
        garbage |= {key for key in keys if _is_orphan(key, owner)} - needed
    yield from look_for_newer(owner, "clean look for newer")
    yield from _delete(map(slot_key, old))
    yield from _delete(done_key(slot) for slot in dones if slot < floor)
    yield from _delete(garbage)
    return Cleaned(len(old), len(garbage))


def oldest_needed(log: Mapping[int, SlotRecord], dones: Iterable[int], keep: int) -> int | None:
    """The slot below which everything may be deleted; None: nothing may.

    Counts checkpoints, not slots: the seals of a crash loop do not push checkpoints out.

    >>> a, b = Owner(0, "x"), Owner(1, "y")
    >>> log = {4: Checkpoint(a, 1, {}), 5: Checkpoint(a, 2, {}), 6: Checkpoint(b, 3, {})}
    >>> oldest_needed(log, {4, 5}, keep=1), oldest_needed(log, {4, 5}, keep=3)
    (5, None)
    """
    marks = set(dones)
    done = sorted(s for s, record in log.items() if isinstance(record, Checkpoint) and s in marks)
    return done[-keep] if 1 <= keep <= len(done) else None


def _numbers(prefix: str) -> Procedure[list[int]]:
    keys = yield from ask(ListKeys(prefix, "clean list"))
    return [number_of(prefix, key) for key in keys]


def _read(slots: Iterable[int], owner: Owner) -> Procedure[dict[int, SlotRecord]]:
    log = {}
    for slot in slots:
        record = yield from read_slot(slot, owner, "clean read")
        if record is not None:
            log[slot] = record
    return log


def _segments(records: Iterable[SlotRecord]) -> set[str]:
    return {
        ref.key
        for record in records
        if isinstance(record, Checkpoint | Restore)
        for states in record.steps.values()
        for state in states
        for ref in state.segments
    }


def _is_orphan(key: str, owner: Owner) -> bool:
    attempt = attempt_of_segment(key)
    return attempt is not None and attempt < owner.attempt


def _delete(keys: Iterable[str]) -> Procedure[None]:
    chosen = tuple(sorted(keys))
    if chosen:
        yield from ask(Delete(chosen))
