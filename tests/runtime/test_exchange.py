"""Exchanges: who gets which rows; everybody gets watermarks."""

from __future__ import annotations

import polars as pl

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


def test_credit_of_one_full_target_stops_all() -> None:
    links = {
        ChannelId(0, SubtaskId("up", 0), SubtaskId("down", n)): MemoryChannel(credit=1)
        for n in range(2)
    }
    outputs = outputs_of([exchange(ExchangeKind.REBALANCE)], links)
    assert outputs.has_credit()
    outputs.emit("step", "main", batch(a=[1]))
    assert not outputs.has_credit()
