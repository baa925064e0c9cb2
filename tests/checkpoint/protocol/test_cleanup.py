"""What may be deleted, and what never."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from raystream.checkpoint.keys import attempt_key, done_key, segment_key, slot_key
from raystream.checkpoint.protocol.cleanup import Cleaned, abort_strays, clean_up, oldest_needed
from raystream.checkpoint.protocol.commands import AbortStrays, Delete, Sleep
from raystream.checkpoint.records import (
    AttemptRecord,
    Checkpoint,
    Done,
    Owner,
    Record,
    Restore,
    Seal,
    SegmentRef,
    SlotRecord,
    StoredState,
)
from raystream.errors import Superseded
from tests.checkpoint.protocol.world import Runner, World

ME = Owner(2, "mine")


def ref(attempt: int, name: str) -> SegmentRef:
    return SegmentRef(name, segment_key(attempt, "s", 0, name), 1, "x")


def with_segments(number: int, *refs: SegmentRef, attempt: int = 2) -> Checkpoint:
    return Checkpoint(Owner(attempt, "x"), number, {"s": (StoredState(segments=refs),)})


def clean(objects: dict[str, Record], **options: Any) -> tuple[Any, set[str]]:
    world = World(objects=dict(objects))
    runner = Runner(clean_up(ME, **options), "clean")  # type: ignore[arg-type]
    runner.run(world)
    return runner.result, set(objects) - set(world.objects)


A, B, C, D = ref(1, "a"), ref(2, "b"), ref(2, "c"), ref(2, "d")
LOG: dict[str, Record] = {
    attempt_key(0): AttemptRecord(Owner(0, "x")),
    attempt_key(1): AttemptRecord(Owner(1, "x")),
    attempt_key(2): AttemptRecord(ME),
    slot_key(5): with_segments(1, A, B),
    done_key(5): Done(ME, 5),
    slot_key(6): Seal(ME),
    slot_key(7): with_segments(2, A, C),
    done_key(7): Done(ME, 7),
    slot_key(8): with_segments(3, A, D),
    **{one.key: Seal(ME) for one in (A, B, C, D)},  # content does not matter here
}


def test_below_the_newest_done_checkpoint_all_goes_but_what_is_still_named() -> None:
    cleaned, deleted = clean(LOG)
    assert deleted == {slot_key(5), done_key(5), slot_key(6), B.key}
    assert cleaned == Cleaned(slots=2, segments=1)


def test_a_checkpoint_that_is_not_done_does_not_count() -> None:
    _, deleted = clean({**LOG, done_key(8): Done(ME, 8)})
    assert {slot_key(7), done_key(7), C.key} <= deleted
    assert slot_key(8) not in deleted


def test_more_checkpoints_may_be_kept() -> None:
    assert clean(LOG, keep=2) == (Cleaned(), set())
    assert clean(LOG, keep=3) == (Cleaned(), set())


def test_without_a_done_checkpoint_nothing_goes() -> None:
    objects = {key: record for key, record in LOG.items() if not key.startswith("done-")}
    assert clean(objects, orphans=True) == (Cleaned(), set())


def test_orphans_go_also_before_any_checkpoint_is_done() -> None:
    """Attempts that fail because the disk is full must not leave it full."""
    orphan = ref(1, "orphan").key
    undone = {key: record for key, record in LOG.items() if not key.startswith("done-")}
    assert clean({**undone, orphan: Seal(ME)}, orphans=True)[1] == {orphan}
    assert clean({orphan: Seal(ME)}, orphans=True)[1] == {orphan}


def test_a_newer_attempt_forbids_it() -> None:
    result, deleted = clean({**LOG, attempt_key(3): AttemptRecord(Owner(3, "y"))})
    assert isinstance(result, Superseded)
    assert deleted == set()


def test_orphans_are_of_earlier_attempts_and_named_by_nobody() -> None:
    orphan, own, odd = ref(1, "orphan").key, ref(2, "not-acked-yet").key, "state/readme"
    restored = ref(0, "restored")
    objects = {
        **LOG,
        slot_key(9): Restore(ME, "x", 3, {"s": (StoredState(segments=(restored,)),)}),
        **{key: Seal(ME) for key in (orphan, own, odd, restored.key)},
    }
    _, deleted = clean(objects, orphans=True)
    assert orphan in deleted
    assert not deleted & {own, odd, restored.key, A.key}
    assert orphan not in clean(objects)[1]


@given(st.lists(st.sampled_from(["seal", "open", "done"])), st.integers(1, 4))
def test_the_newest_done_checkpoints_are_always_kept(kinds: list[str], keep: int) -> None:
    log: dict[int, SlotRecord] = {
        slot: Seal(ME) if kind == "seal" else with_segments(slot) for slot, kind in enumerate(kinds)
    }
    done = [slot for slot, kind in enumerate(kinds) if kind == "done"]
    floor = oldest_needed(log, done, keep)
    if len(done) < keep:
        assert floor is None
    else:
        assert floor == done[-keep]


def strays(*left: int) -> tuple[list[Any], int]:
    """Run with these answers: the commands and the result."""
    procedure, commands, given = abort_strays(ME, tries=3), [], iter(left)
    try:
        command = next(procedure)
        while True:
            commands.append(command)
            command = procedure.send(next(given) if isinstance(command, AbortStrays) else 0.0)
    except StopIteration as stop:
        return commands, stop.value


def test_strays_are_aborted_until_none_is_left() -> None:
    assert strays(0) == ([AbortStrays(2)], 0)
    commands, left = strays(3, 1, 0)
    assert [type(command) for command in commands] == [
        *(AbortStrays, Sleep, AbortStrays, Sleep, AbortStrays)
    ]
    assert left == 0


def test_strays_that_stay_are_left_for_later() -> None:
    assert strays(3, 2, 2)[1] == 2


def test_a_delete_is_never_empty() -> None:
    world = World(objects={})
    runner = Runner(clean_up(ME), "clean")  # type: ignore[arg-type]
    while runner.alive:
        assert not isinstance(runner.waiting, Delete)
        runner.step(world)
