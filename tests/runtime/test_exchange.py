"""Exchanges: who gets which rows; everybody gets watermarks."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import Batch
from raystream.ids import ChannelId, SubtaskId
from raystream.plan.physical import ExchangeKind
from raystream.runtime.channels.memory import MemoryChannel
from raystream.runtime.exchange import Exchange, Outputs, outputs_of
from raystream.time.watermark import Watermark
from tests.runtime.parts import batch, exchange


def received(link: MemoryChannel) -> list[object]:
    found = []
    while (element := link.poll()) is not None:
        found.append(element)
    return found


def test_hash_sends_each_key_to_one_target_and_loses_no_row() -> None:
    links = [MemoryChannel() for _ in range(3)]
    rows = Batch(pl.DataFrame({"ip": [f"ip{n % 50}" for n in range(1000)]}))
    Exchange(exchange(ExchangeKind.HASH, "ip"), links).emit(rows)
    frames = [element.frame for link in links for element in received(link)]  # type: ignore[attr-defined]
    keys = [set(frame["ip"].unique()) for frame in frames]
    assert sum(frame.height for frame in frames) == rows.frame.height
    assert not any(a & b for i, a in enumerate(keys) for b in keys[i + 1 :])


def test_rebalance_takes_turns_and_broadcast_goes_to_all() -> None:
    links = [MemoryChannel() for _ in range(2)]
    one, two = batch(a=[1]), batch(a=[2])
    turns = Exchange(exchange(ExchangeKind.REBALANCE), links)
    turns.emit(one)
    turns.emit(two)
    assert sorted(len(received(link)) for link in links) == [1, 1]
    Exchange(exchange(ExchangeKind.BROADCAST), links).emit(one)
    assert [received(link) for link in links] == [[one], [one]]


def test_side_output_nobody_takes_is_reported_and_watermarks_go_everywhere() -> None:
    main, side = MemoryChannel(), MemoryChannel()
    outputs = Outputs(
        [
            Exchange(exchange(ExchangeKind.FORWARD), [main]),
            Exchange(exchange(ExchangeKind.FORWARD, tag="late"), [side]),
        ]
    )
    assert outputs.emit("step", "late", batch(a=[1]))
    assert not outputs.emit("step", "errors", batch(a=[1]))
    outputs.broadcast(Watermark(3))
    assert received(main) == [Watermark(3)]
    assert received(side)[-1] == Watermark(3)


def outputs_to_two(kind: ExchangeKind, *keys: str) -> tuple[Outputs, list[MemoryChannel]]:
    links = [MemoryChannel(credit=1) for _ in range(2)]
    sides = {
        ChannelId(0, SubtaskId("up", 0), SubtaskId("down", n)): link for n, link in enumerate(links)
    }
    return outputs_of([exchange(kind, *keys)], sides), links


def test_one_full_target_stops_rows_that_have_a_target_each() -> None:
    outputs, _ = outputs_to_two(ExchangeKind.HASH, "a")
    assert outputs.has_credit()
    outputs.emit("step", "main", batch(a=[1]))
    assert not outputs.has_credit()


def test_rows_that_anybody_may_take_go_to_who_is_free() -> None:
    outputs, (first, second) = outputs_to_two(ExchangeKind.REBALANCE)
    for n in range(2):
        assert outputs.has_credit()
        outputs.emit("step", "main", batch(a=[n]))
    assert not outputs.has_credit()
    outputs.broadcast(Watermark(1))
    assert len(received(second)) == 2, "one has nothing to do but these"
    for n in range(2, 5):
        assert outputs.has_credit(), "the other is still at work on its first"
        outputs.emit("step", "main", batch(a=[n]))
        assert len(received(second)) == 1
    assert len(received(first)) == 2


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=20),
    limits=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    turns=st.lists(st.integers(0, 3), max_size=60),
)
def test_shared_rows_come_once_each_channel_in_order_and_before_the_barrier(
    sizes: list[int], limits: list[int], turns: list[int]
) -> None:
    links = [MemoryChannel(credit=3, limit=limit) for limit in limits]
    shared = Exchange(exchange(ExchangeKind.REBALANCE), links)
    got: list[list[object]] = [[] for _ in links]

    def read(target: int) -> None:
        element = links[target].poll()
        if isinstance(element, Batch):
            got[target] += element.frame["n"].to_list()
            links[target].worked(len(element))
        elif element is not None:
            got[target].append(element)

    total = 0
    for size in sizes:
        shared.emit(Batch(pl.DataFrame({"n": range(total, total + size)})))
        total += size
        for turn in turns:
            read(turn % len(links))
    shared.broadcast(Barrier(1))
    while any(Barrier(1) not in each for each in got):
        shared.room()
        for target in range(len(links)):
            read(target)
    rows = [each[:-1] for each in got]
    assert all(each[-1] == Barrier(1) for each in got)
    assert sorted(n for each in rows for n in each) == list(range(total))  # type: ignore[type-var]
    assert all(each == sorted(each) for each in rows)  # type: ignore[type-var]


def emitted(outputs: Outputs, link: MemoryChannel, rows: int, *, of: int) -> int:
    """Room after a piece of `of` rows of which so many were emitted, and taken behind."""
    if rows:
        outputs.emit("step", "main", Batch(pl.DataFrame({"n": range(rows)})))
        received(link)
        link.worked(rows)
    outputs.took(of)
    return outputs.room()


def test_room_is_counted_in_rows_that_are_taken_not_in_those_that_are_left_of_them() -> None:
    """A sum of each batch for a slow receiver made every batch as small as its number of sums."""
    link = MemoryChannel(limit=400)
    outputs = Outputs([Exchange(exchange(ExchangeKind.FORWARD), [link])])
    assert outputs.room() == 400
    rooms = [emitted(outputs, link, 1, of=1000) for _ in range(60)]
    assert rooms == sorted(rooms)
    assert rooms[-1] == 16 * 400
    assert emitted(outputs, link, 200, of=400) == 800, "more is emitted: less is taken, at once"
    assert emitted(outputs, link, 900, of=300) == 400
    assert all(emitted(outputs, link, 0, of=0) >= 400 for _ in range(3))


def test_rows_that_seldom_come_do_not_hold_up_all_others() -> None:
    """Dead letters to a sink that may be slow: as long as none came, every batch was one row."""
    link = MemoryChannel(limit=1)
    outputs = Outputs([Exchange(exchange(ExchangeKind.FORWARD), [link])])
    assert outputs.room() == 1
    rooms = [emitted(outputs, link, 0, of=1000) for _ in range(60)]
    assert rooms == sorted(rooms)
    assert rooms[-1] == 256
    assert emitted(outputs, link, 1, of=2) == 1, "they come: the receiver is not given more"
    assert emitted(outputs, link, 1, of=3) == 1
