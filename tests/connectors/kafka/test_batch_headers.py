"""What headers of batches tell about bytes that no consumer can read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raystream.connectors.kafka.batch_headers import first_damage


def batch(base: int, records: int, size: int) -> bytes:
    """A batch of format 2 with `size` bytes of records (KIP-98)."""
    length = 49 + size
    head = base.to_bytes(8) + length.to_bytes(4) + bytes(4) + b"\2" + bytes(4) + bytes(2)
    return head + (records - 1).to_bytes(4) + bytes(12 + length - len(head) - 4)


LOGS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 99)), min_size=1, max_size=8)


def log(sizes: list[tuple[int, int]]) -> tuple[bytes, list[tuple[int, int]]]:
    """The bytes, and the place and base offset of each batch."""
    data, base, starts = b"", 5, []
    for records, size in sizes:
        starts.append((len(data), base))
        data += batch(base, records, size)
        base += records
    return data, starts


@given(LOGS, st.data())
def test_a_whole_log_has_no_damage_wherever_the_answer_ends(
    sizes: list[tuple[int, int]], draw: st.DataObject
) -> None:
    data, _ = log(sizes)
    first = len(batch(5, *sizes[0]))
    assert first_damage(data[: draw.draw(st.integers(first, len(data)))], 5) is None
    assert first_damage(b"", 5) is None


@given(LOGS, st.data())
def test_a_header_of_zeros_is_found_with_the_offset_behind_the_last_whole_batch(
    sizes: list[tuple[int, int]], draw: st.DataObject
) -> None:
    data, starts = log(sizes)
    at, base = draw.draw(st.sampled_from(starts))
    assert first_damage(data[:at] + bytes(61) + data[at + 61 :], 5) == (base, "its length is 0")


@given(LOGS, st.integers(1, 2**30))
def test_a_first_batch_that_claims_more_than_there_is(
    sizes: list[tuple[int, int]], more: int
) -> None:
    data, _ = log(sizes)
    claimed = len(data) - 12 + more
    spoilt = data[:8] + claimed.to_bytes(4) + data[12:]
    wrong = f"it claims {claimed} bytes, of which the log holds {len(data)}"
    assert first_damage(spoilt, 7) == (7, wrong)


def test_a_format_that_nobody_knows() -> None:
    data = batch(5, 1, 3)
    assert first_damage(data[:16] + b"\7" + data[17:], 5) == (5, "its format is 7")
