"""Fields that no column takes are found wherever they stand, and seldom looked for."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from raystream.formats.unknown_fields import AT_FIRST, EVERY, UnknownFields

KNOWN = {
    "n": pl.Int64(),
    "user": pl.Struct({"id": pl.Int64, "at": pl.List(pl.Struct({"x": pl.Int64}))}),
}


def test_within_objects_and_lists_of_objects() -> None:
    record = b'{"n": 1, "user": {"id": 1, "name": "a", "at": [{"x": 1}, {"y": 2}, {"y": 3}]}}'
    assert UnknownFields(KNOWN).look([record]) == {"user.name": 1, "user.at.y": 1}


def test_what_is_no_object_tells_nothing() -> None:
    payloads = [None, b"", b"[1]", b"{", b"\xff", b"7", b"null", b"[" * 5000, b'{"user": 7}']
    assert UnknownFields(KNOWN).look(payloads) == {}


@given(st.lists(st.booleans(), max_size=50))
def test_a_short_input_is_counted_exactly(unknown: list[bool]) -> None:
    payloads = [b'{"x": 1}' if each else b'{"n": 1}' for each in unknown]
    expected = {"x": sum(unknown)} if any(unknown) else {}
    assert UnknownFields(KNOWN).look(payloads) == expected


def test_of_a_long_one_each_place_comes_to_its_turn() -> None:
    fields = UnknownFields(KNOWN)
    fields.look([b"{}"] * AT_FIRST)
    batch = [b"{}"] * 1000
    batch[777] = b'{"late": 1}'
    looks = [fields.look(batch) for _ in range(EVERY)]
    assert sum(look.get("late", 0) for look in looks) == 1
    assert fields.look([b'{"one": 1}']) == {"one": 1}
