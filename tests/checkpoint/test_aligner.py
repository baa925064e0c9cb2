"""Alignment as a table of barriers and commands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.checkpoint.aligner import Aligned, Aligner, BarrierArrived, Block, UnblockAll
from raystream.checkpoint.barrier import Barrier
from raystream.errors import RaystreamError

ONE, TWO = Barrier(1), Barrier(2)
LAST = Barrier(2, final=True)


def log(aligner: Aligner[str], *arrivals: tuple[str, Barrier]) -> list[list[Any]]:
    return [aligner.handle(BarrierArrived(channel, barrier)) for channel, barrier in arrivals]


def test_a_subtask_with_one_channel_never_blocks() -> None:
    assert log(Aligner("a"), ("a", ONE), ("a", TWO)) == [
        [Aligned(ONE), UnblockAll()],
        [Aligned(TWO), UnblockAll()],
    ]


def test_channels_block_until_the_last_barrier_arrives() -> None:
    aligner = Aligner("abc")
    assert log(aligner, ("b", ONE), ("a", ONE)) == [[Block("b")], [Block("a")]]
    assert aligner.blocked == {"a", "b"}
    assert aligner.waiting_for() == {"c"}
    assert log(aligner, ("c", ONE)) == [[Aligned(ONE), UnblockAll()]]
    assert aligner.blocked == frozenset()
    assert aligner.waiting_for() == frozenset()


def test_the_final_barrier_ends_all_channels_together() -> None:
    aligner = Aligner("ab")
    log(aligner, ("a", ONE), ("b", ONE))
    assert log(aligner, ("a", LAST), ("b", LAST)) == [
        [Block("a")],
        [Aligned(LAST), UnblockAll()],
    ]


@pytest.mark.parametrize(
    ("arrivals", "why"),
    [
        ([("a", ONE), ("b", TWO)], "is being aligned"),
        ([("a", ONE), ("b", Barrier(1, final=True))], "is being aligned"),
        ([("a", ONE), ("a", ONE)], "the channel is blocked by this checkpoint already"),
        ([("a", ONE), ("b", ONE), ("a", ONE)], "checkpoint 2 is next"),
        ([("a", ONE), ("b", ONE), ("a", Barrier(3))], "checkpoint 2 is next"),
        ([("a", LAST), ("b", LAST), ("a", Barrier(3))], "nothing may follow the final"),
        ([("x", ONE)], "the channel is unknown"),
    ],
)
def test_a_barrier_out_of_step_is_an_error(arrivals: list[tuple[str, Barrier]], why: str) -> None:
    aligner = Aligner("ab")
    log(aligner, *arrivals[:-1])
    with pytest.raises(RaystreamError, match=why) as caught:
        log(aligner, arrivals[-1])
    assert caught.value.where == f"channel {arrivals[-1][0]}"


def test_no_channels_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to align"):
        Aligner([])


@given(st.integers(1, 6), st.lists(st.randoms(use_true_random=False), max_size=6))
def test_in_any_order_each_checkpoint_is_aligned_once_at_its_last_barrier(
    n_channels: int, orders: list[Any]
) -> None:
    aligner = Aligner(range(n_channels))
    for number, order in enumerate(orders, 1):
        channels = list(range(n_channels))
        order.shuffle(channels)
        answers = [aligner.handle(BarrierArrived(c, Barrier(number))) for c in channels]
        assert answers[:-1] == [[Block(channel)] for channel in channels[:-1]]
        assert answers[-1] == [Aligned(Barrier(number)), UnblockAll()]
