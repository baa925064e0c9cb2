"""Creating a slot: every answer at every yield."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from raystream.checkpoint.protocol.commands import POINTS, Create, Read, Sleep
from raystream.checkpoint.protocol.procedure import Command
from raystream.checkpoint.protocol.slots import create_slot, look_for_newer, pauses
from raystream.checkpoint.records import AttemptRecord, Done, Owner, Seal
from raystream.checkpoint.verdicts import Put
from raystream.errors import StorageError, Superseded
from tests.checkpoint.protocol.explore import Path, explore

ME, OTHER = Owner(3, "mine"), Owner(2, "other")
MINE = Seal(ME)


def answers(command: Command[Any], story: Sequence[Any]) -> Sequence[Any]:
    match command:
        case Create():
            unknown = sum(answer is Put.UNKNOWN for _, answer in story)
            return [Put.CREATED, Put.EXISTS] + [Put.UNKNOWN] * (unknown < 3)
        case Read("attempt-0000000004"):
            return [None, AttemptRecord(Owner(4, "newer"))]
        case Read():
            gone = sum(c.name == "read manifest" and answer is None for c, answer in story)
            there = [MINE, Seal(OTHER), Seal(Owner(3, "same attempt, other nonce"))]
            return there + [None] * (gone < 2)
        case Sleep():
            return [1.0]
    raise AssertionError(command)


def paths() -> list[Path]:
    return list(explore(lambda: create_slot(7, MINE, "manifest"), answers))


def test_all_paths_end_and_use_known_names() -> None:
    for path in paths():
        assert {command.name for command, _ in path.story} <= set(POINTS)


def test_it_counts_only_if_it_is_ours_and_nobody_newer_exists() -> None:
    for path in paths():
        created = path.named("create manifest")[-1][1] is Put.CREATED
        ours = created or (path.named("read manifest") or [(None, None)])[-1][1] == MINE
        newer = [answer for _, answer in path.named("look for newer")]
        good = ours and newer[-1:] == [None]
        if good:
            assert path.outcome is None
        else:
            assert isinstance(path.outcome, Superseded)


def test_it_looks_for_a_newer_attempt_after_the_creation() -> None:
    for path in paths():
        names = [command.name for command, _ in path.story]
        ours = not isinstance(path.outcome, Superseded) or "newer" in str(path.story[-1][1])
        if ours:
            assert names[-1] == "look for newer"


def test_what_exists_and_vanished_is_tried_again_unless_somebody_newer_may_have_deleted_it() -> (
    None
):
    for path in paths():
        for (command, answer), (following, newer), *rest in zip(
            path.story, path.story[1:], path.story[2:], strict=False
        ):
            if command.name == "read manifest" and answer is None:
                assert following.name == "look for newer"
                assert newer is not None or isinstance(rest[0][0], Sleep)


def test_an_object_that_never_can_be_read_is_an_error() -> None:
    def never(command: Command[Any], story: Sequence[Any]) -> Sequence[Any]:
        return [Put.EXISTS] if isinstance(command, Create) else [None]

    (path,) = explore(lambda: create_slot(7, MINE, "manifest"), never)
    assert isinstance(path.outcome, StorageError)
    assert "exists, and that it does not" in str(path.outcome)


def test_an_unknown_outcome_is_repeated_and_never_decided_by_a_read() -> None:
    for path in paths():
        for (_, answer), (following, _) in zip(path.story, path.story[1:], strict=False):
            if answer is Put.UNKNOWN:
                assert isinstance(following, Sleep)
            if isinstance(following, Read) and following.name == "read manifest":
                assert answer is Put.EXISTS


def test_the_pauses_grow_and_stay_bounded() -> None:
    first = [pause for pause, _ in zip(pauses(), range(50), strict=False)]
    assert first == sorted(first)
    assert first[-1] == 2.0


def test_the_message_of_a_superseded_attempt_calms() -> None:
    procedure = look_for_newer(ME)
    next(procedure)
    with pytest.raises(Superseded) as caught:
        procedure.send(AttemptRecord(Owner(4, "newer")))
    assert str(caught.value) == (
        "attempt 3 was superseded by a newer attempt of the same job; "
        "nothing is wrong: the newer attempt continues from here"
    )
    assert caught.value.exit_code == 3


def test_a_done_mark_in_place_of_a_slot_is_not_ours() -> None:
    procedure = create_slot(7, MINE, "manifest")
    next(procedure)
    procedure.send(Put.EXISTS)
    with pytest.raises(Superseded):
        procedure.send(Done(OTHER, 7))
