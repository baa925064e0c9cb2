"""Names of objects: ordered, parsed strictly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.checkpoint.keys import (
    ATTEMPTS,
    DONES,
    SLOTS,
    attempt_key,
    attempt_of_segment,
    check_key,
    done_key,
    number_of,
    segment_key,
    slot_key,
)
from raystream.errors import StorageError

NUMBERS = st.integers(0, 10**10 - 1)
MAKERS = [(ATTEMPTS, attempt_key), (SLOTS, slot_key), (DONES, done_key)]


@given(NUMBERS, st.sampled_from(MAKERS))
def test_numbers_come_back(number: int, maker: tuple[str, object]) -> None:
    prefix, make = maker
    key = make(number)  # type: ignore[operator]
    assert number_of(prefix, key) == number
    assert check_key(key) == key


@given(st.lists(NUMBERS))
def test_a_sorted_listing_is_in_order_of_number(numbers: list[int]) -> None:
    keys = sorted(map(slot_key, numbers))
    assert [number_of(SLOTS, key) for key in keys] == sorted(numbers)


@pytest.mark.parametrize("key", ["m-", "m-1", "m-00000000001", "m-000000001x", "m--000000001", "x"])
def test_other_names_are_refused(key: str) -> None:
    with pytest.raises(StorageError, match="is not a name that raystream gives"):
        number_of(SLOTS, key)


@pytest.mark.parametrize("number", [-1, 10**10])
def test_numbers_out_of_range_are_refused(number: int) -> None:
    with pytest.raises(StorageError):
        slot_key(number)


def test_a_segment_tells_its_attempt() -> None:
    assert attempt_of_segment(segment_key(12, "counts", 3, "12-7")) == 12


@pytest.mark.parametrize(
    "key",
    ["state/a/counts/0/x.arrow", "state/a01/c/0/x.arrow", "state/a1/c/0/x.pkl", "state/a1/x.arrow"],
)
def test_other_files_have_no_attempt(key: str) -> None:
    assert attempt_of_segment(key) is None


@pytest.mark.parametrize(("step", "segment"), [("../x", "1-1"), ("a/b", "1-1"), ("a", "../../x")])
def test_a_segment_can_not_be_named_outside(step: str, segment: str) -> None:
    with pytest.raises(StorageError, match="is not a name for a state segment"):
        segment_key(1, step, 0, segment)
