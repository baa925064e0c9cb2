"""Credit is counted on both sides, in bytes and in rows; what is owed always comes in the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.channels.credit import Credit, ReceiveCredit, SendCredit


@given(sizes=st.lists(st.integers(1, 250), max_size=60), window=st.integers(1, 100))
def test_credit_never_stalls_and_never_exceeds_the_window_by_more_than_a_batch(
    sizes: list[int], window: int
) -> None:
    send, receive, waiting = SendCredit(window), ReceiveCredit(window), list[int]()
    for size in sizes:
        while not send.available():
            assert waiting, "no credit although everything was consumed"
            receive.consumed(waiting.pop(0))
            if (credit := receive.due()) is not None:
                send.give_back(credit)
        send.spend(size, 1)
        receive.received(size)
        waiting.append(size)
        assert sum(waiting[:-1]) < window


@given(
    limits=st.lists(st.integers(1, 300), min_size=1, max_size=40),
    wanted=st.lists(st.integers(1, 50), min_size=1, max_size=200),
)
def test_rows_under_way_stay_under_the_limit_and_never_stall(
    limits: list[int], wanted: list[int]
) -> None:
    """Whatever limits the receiver says one after the other."""
    send, receive, under_way = SendCredit(limit=16), ReceiveCredit(limit=16), 0
    for number, rows in enumerate(wanted):
        receive.allow(limits[number % len(limits)])
        if (told := receive.due()) is not None:
            send.give_back(told)
        while not send.free_rows():
            assert under_way, "no credit although everything was worked off"
            receive.worked(1)
            under_way -= 1
            if (credit := receive.due()) is not None:
                send.give_back(credit)
        sent = min(rows, send.free_rows(), send.portion())
        assert sent > 0
        send.spend(sent, sent)
        under_way += sent
        assert under_way <= max(limits) * 4 / 3 + 16, "told limits may lag behind by a third"


def test_a_sender_that_does_not_wait_for_credit_is_cut_off() -> None:
    credit = ReceiveCredit(100)
    credit.received(100)
    with pytest.raises(ChannelBroken, match="beyond its window of 100 bytes"):
        credit.received(1)


def test_a_lower_limit_is_told_at_once_and_stops_the_sender() -> None:
    send, receive = SendCredit(limit=16), ReceiveCredit(limit=16)
    send.spend(100, 10)
    receive.allow(2)
    credit = receive.due()
    assert credit is not None
    send.give_back(credit)
    assert not send.available()
    assert send.load() > 1
    receive.worked(9)
    assert (credit := receive.due()) is not None
    send.give_back(credit)
    assert (send.free_rows(), send.portion()) == (1, 1)


def test_a_sender_never_fills_gaps_that_are_smaller_than_a_portion_of_the_limit() -> None:
    """Else it would send as many rows as were just processed, fewer and fewer at a time."""
    credit = SendCredit(100, limit=200)
    credit.spend(1, 190)
    assert credit.free_rows() == 0
    credit.give_back(Credit(1, 39, limit=200))
    assert credit.free_rows() == 0
    credit.give_back(Credit(0, 1, limit=200))
    assert credit.free_rows() == 50


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 256])
def test_rows_flow_whatever_the_limit_is(limit: int) -> None:
    """What a receiver keeps of its credit never stops a sender."""
    sender, receiver = SendCredit(100, limit), ReceiveCredit(100, limit)
    for _ in range(10 * limit):
        assert sender.free_rows() > 0
        sender.spend(1, 1)
        receiver.received(1)
        receiver.consumed(1)
        receiver.worked(1)
        if (credit := receiver.due()) is not None:
            sender.give_back(credit)
