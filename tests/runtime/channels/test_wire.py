"""Frames come out as they went in, however the bytes are cut."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import TIME, Batch
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.channels.credit import Credit
from raystream.runtime.channels.wire import (
    Frame,
    FrameEncoder,
    FrameParser,
    Kind,
    credit_frame,
    frame_of,
)
from raystream.runtime.element import Element
from raystream.time.watermark import Idle, Watermark

ELEMENTS: list[Element] = [
    Batch(pl.DataFrame({"ip": ["a", "b"], TIME: [1, 2]})),
    Watermark(-5),
    Idle(),
    Batch(pl.DataFrame({"ip": []}, schema={"ip": pl.String})),
    Barrier(7),
    Barrier(8, final=True),
]


def rows(elements: list[Element]) -> list[object]:
    return [e.frame.to_dict(as_series=False) if isinstance(e, Batch) else e for e in elements]


@given(cuts=st.lists(st.integers(1, 400), max_size=30))
def test_frames_survive_any_cut_of_the_bytes(cuts: list[int]) -> None:
    encoder, parser = FrameEncoder(), FrameParser()
    data = b"".join(encoder.encode(frame_of(element)) for element in ELEMENTS)
    got = []
    for size in [*cuts, len(data)]:
        got += parser.feed(data[:size])
        data = data[size:]
    assert rows([frame.element() for frame in got]) == rows(ELEMENTS)


def test_a_missing_frame_breaks_the_channel() -> None:
    encoder, parser = FrameEncoder(), FrameParser()
    encoder.encode(frame_of(Idle()))
    with pytest.raises(ChannelBroken, match="frame 0 was expected, got frame 1"):
        parser.feed(encoder.encode(frame_of(Idle())))


def test_garbage_breaks_the_channel() -> None:
    with pytest.raises(ChannelBroken, match="of kind 77"):
        FrameParser().feed(bytes(8) + bytes([77]) + bytes(8))


class Huge(bytes):
    """Bytes that nobody has the memory for."""

    def __len__(self) -> int:
        return 2**32 + 8

    def __radd__(self, header: bytes) -> bytes:
        return header + bytes(8)


def test_the_length_of_a_frame_above_4_gib_is_not_cut() -> None:
    sent = FrameEncoder().encode(Frame(Kind.BATCH, Huge()))
    assert FrameParser().feed(bytes(sent)) == []  # the rest is to come


def test_a_credit_frame_carries_bytes_rows_and_limit() -> None:
    for credit in (Credit(5_000_000_000, 0, 16), Credit(0, 7, 1_000_000)):
        assert credit_frame(credit).credit() == credit
