"""InputGate: alignment and merged watermarks over several channels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raystream.checkpoint.barrier import Barrier
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.channels.memory import MemoryChannel
from raystream.runtime.gate import InputGate
from raystream.runtime.loading import InputEnded, Loading
from raystream.time.clock import VirtualClock
from raystream.time.watermark import END_OF_TIME, Idle, Watermark
from tests.runtime.parts import channels, timed


def gate_of(count: int) -> tuple[InputGate, list[MemoryChannel]]:
    links = [MemoryChannel() for _ in range(count)]
    return InputGate(dict(zip(channels(count), links, strict=True))), links


def drained(gate: InputGate) -> list[object]:
    found = []
    while (element := gate.poll()) is not None:
        found.append(element)
    return found


def test_rows_behind_a_barrier_wait_for_the_other_channels() -> None:
    gate, (left, right) = gate_of(2)
    before, behind, other = timed(1), timed(2, 2), timed(3, 3, 3)
    for element in (before, Barrier(1), behind):
        left.send(element)
    right.send(other)
    assert drained(gate) == [before, other]
    right.send(Barrier(1))
    assert drained(gate) == [Barrier(1), behind]


def test_watermark_is_the_minimum_and_waits_until_every_channel_has_spoken() -> None:
    gate, (left, right) = gate_of(2)
    left.send(Watermark(10))
    assert drained(gate) == []
    right.send(Watermark(4))
    assert drained(gate) == [Watermark(4)]
    assert gate.held_back_by() == [str(channels(2)[1])]
    right.send(Idle())
    assert drained(gate) == [Watermark(10)]


def test_when_all_channels_are_idle_the_maximum_comes_first() -> None:
    gate, (left, right) = gate_of(2)
    left.send(Watermark(10))
    right.send(Watermark(4))
    right.send(Barrier(1))
    left.send(Idle())
    assert drained(gate) == [Watermark(4)]
    right.send(Watermark(5))
    left.send(Barrier(1))
    right.send(Idle())
    assert drained(gate) == [Barrier(1), Watermark(5), Watermark(10), Idle()]
    left.send(Idle())
    assert drained(gate) == []
    left.send(Watermark(7))
    assert drained(gate) == [Watermark(10)], "a watermark never goes back"


def test_channels_that_fall_idle_before_they_spoke_have_no_maximum() -> None:
    gate, (left, right) = gate_of(2)
    left.send(Idle())
    right.send(Idle())
    assert drained(gate) == [Idle()]
    right.send(Watermark(3))
    right.send(Idle())
    assert drained(gate) == [Watermark(3), Idle()]


def test_a_broken_channel_is_an_error_after_what_was_sent() -> None:
    gate, (only,) = gate_of(1)
    only.send(timed(1))
    only.close()
    assert len(drained_one(gate)) == 1
    with pytest.raises(ChannelBroken, match="gone"):
        gate.poll()


def drained_one(gate: InputGate) -> list[object]:
    return [gate.poll()]


def test_the_time_from_the_first_barrier_to_the_last_is_told() -> None:
    clock = VirtualClock()
    left, right = MemoryChannel(), MemoryChannel()
    gate = InputGate(dict(zip(channels(2), (left, right), strict=True)), clock.now)
    for number, pause in ((1, 0.5), (2, 2.0), (3, 0.0)):
        left.send(Barrier(number))
        assert drained(gate) == []
        clock.advance(pause)
        right.send(Barrier(number))
        assert drained(gate) == [Barrier(number)]
        assert gate.align_seconds() == pause


def test_a_batch_tells_the_input_that_it_is_for() -> None:
    left, right = MemoryChannel(), MemoryChannel()
    names = [replace(channel, exchange=number) for number, channel in enumerate(channels(2))]
    gate = InputGate(dict(zip(names, (left, right), strict=True)), ports={1: 1})
    left.send(timed(1))
    right.send(timed(2))
    left.send(timed(3))
    ports = []
    while gate.poll() is not None:
        ports.append(gate.port())
    assert sorted(ports) == [0, 0, 1]


def loading_gate() -> tuple[InputGate, MemoryChannel, MemoryChannel]:
    """The second channel is read whole before the first."""
    stream, table = MemoryChannel(), MemoryChannel()
    names = channels(2)
    links = dict(zip(names, (stream, table), strict=True))
    return InputGate(links, loading=Loading(names[1:], 1)), stream, table


def test_a_table_is_read_before_the_stream_and_event_time_follows_its_end() -> None:
    gate, stream, table = loading_gate()
    row, entry, more = timed(1), timed(2, 2), timed(3, 3, 3)
    for element in (row, Watermark(5)):
        stream.send(element)
    table.send(entry)
    assert drained(gate) == [entry]
    for element in (more, Watermark(END_OF_TIME)):
        table.send(element)
    assert drained(gate) == [more, InputEnded(1), row, Watermark(5)]
    assert drained(gate) == []


def test_while_a_table_is_read_a_barrier_lets_the_stream_pass_up_to_it() -> None:
    gate, stream, table = loading_gate()
    row, behind, entry = timed(1), timed(2, 2), timed(3, 3, 3)
    for element in (row, Watermark(5), Barrier(1), behind):
        stream.send(element)
    assert drained(gate) == []
    for element in (Watermark(9), Barrier(1), entry):
        table.send(element)
    assert drained(gate) == [row, Barrier(1), entry]
    table.send(Watermark(END_OF_TIME))
    assert drained(gate) == [InputEnded(1), Watermark(5), behind]
