"""Records come back as they were; damage is found and named."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.checkpoint.codec import decode, encode
from raystream.checkpoint.records import (
    AttemptRecord,
    Checkpoint,
    Committable,
    Done,
    Owner,
    Record,
    Restore,
    Rollback,
    Seal,
    SegmentRef,
    StoredState,
)
from raystream.errors import StorageError

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
NUMBERS = st.integers(0, 2**60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
OWNERS = st.builds(Owner, NUMBERS, st.text())
COMMITTABLES = st.builds(
    Committable,
    NAMES,
    st.integers(0, 100),
    NUMBERS,
    st.lists(st.text(), max_size=3).map(tuple),
    st.text(),
    st.floats(0, 1e6),
)
KEYS = st.builds("state/a{}/{}/{}/{}.arrow".format, NUMBERS, NAMES, NUMBERS, NAMES)
SEGMENTS = st.builds(SegmentRef, st.text(), KEYS, NUMBERS, st.text())
HEADERS = st.dictionaries(st.text(), JSON, max_size=3)
STATES = st.builds(
    StoredState, HEADERS, st.lists(SEGMENTS, max_size=2).map(tuple), st.none() | COMMITTABLES
)
STEPS = st.dictionaries(NAMES, st.lists(STATES, max_size=2).map(tuple), max_size=3)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(Checkpoint, OWNERS, NUMBERS, STEPS, st.booleans(), HEADERS),
    st.builds(Seal, OWNERS),
    st.builds(Restore, OWNERS, st.text(), NUMBERS, STEPS, HEADERS),
    st.builds(Rollback, OWNERS, NUMBERS, st.none() | NUMBERS),
    st.builds(AttemptRecord, OWNERS),
    st.builds(Done, OWNERS, NUMBERS, st.lists(COMMITTABLES, max_size=2).map(tuple)),
)


@given(RECORDS)
def test_any_record_comes_back(record: Record) -> None:
    assert decode("m-0000000001", encode(record)) == record


@given(RECORDS, st.data())
def test_any_changed_byte_is_found(record: Record, data: st.DataObject) -> None:
    content = bytearray(encode(record))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StorageError) as caught:
        decode("m-0000000001", bytes(content))
    assert caught.value.where == "m-0000000001"


@given(RECORDS, st.data())
def test_any_cut_is_found(record: Record, data: st.DataObject) -> None:
    content = encode(record)
    with pytest.raises(StorageError, match="the object is damaged"):
        decode("m-0000000001", content[: data.draw(st.integers(0, len(content) - 1))])


@given(st.binary())
def test_foreign_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(StorageError, match="the object is damaged"):
        decode("attempt-0000000001", data)


def sealed(content: Any, version: int = 1) -> bytes:
    """Bytes with a right checksum, whatever the content."""
    line = json.dumps(content, separators=(",", ":")).encode()
    checksum = blake2b(line, digest_size=32).hexdigest().encode()
    return b'{"raystream_record":%d,"blake2b":"%s"}\n' % (version, checksum) + line


OWNER = {"attempt": 1, "nonce": "x"}


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "seal",
        {"record": "seal"},
        {"record": "seal", "owner": {"attempt": "1", "nonce": "x"}},
        {"record": "seal", "owner": {"attempt": True, "nonce": "x"}},
        {"record": "whatever", "owner": OWNER},
        {"record": "checkpoint", "owner": OWNER},
        {"record": "rollback", "owner": OWNER, "slot": 1.5, "base": None},
        {"record": "done", "owner": OWNER, "slot": 1, "lost": {"a": 1}},
    ],
)
def test_content_of_the_wrong_shape_is_an_error(content: Any) -> None:
    with pytest.raises(StorageError, match="its content makes no sense"):
        decode("m-0000000001", sealed(content))


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "a/../b", ""])
def test_a_segment_outside_the_storage_is_refused(key: str, tmp_path: Path) -> None:
    state = {"header": {}, "segments": [["id", key, 1, "x"]], "committable": None}
    content = {
        "record": "checkpoint",
        "owner": OWNER,
        "number": 1,
        "final": False,
        "steps": {"s": [state]},
        "job": {},
    }
    with pytest.raises(StorageError, match="is not a valid object name"):
        decode("m-0000000001", sealed(content))


def test_a_deeply_nested_bomb_is_an_error() -> None:
    line = b"[" * 200_000 + b"]" * 200_000
    checksum = blake2b(line, digest_size=32).hexdigest().encode()
    data = b'{"raystream_record":1,"blake2b":"%s"}\n' % checksum + line
    with pytest.raises(StorageError, match="the object is damaged"):
        decode("m-0000000001", data)


def test_a_newer_format_says_to_upgrade() -> None:
    with pytest.raises(StorageError) as caught:
        decode("m-0000000001", sealed({}, version=2))
    assert str(caught.value) == (
        "m-0000000001: format 2 is newer than this raystream, which reads up to 1; "
        "upgrade raystream"
    )


@pytest.mark.parametrize("header", [{"x": {1, 2}}, {"x": b"bytes"}, {"x": float("nan")}])
def test_a_header_that_is_no_json_is_refused_when_written(header: dict[str, Any]) -> None:
    record = Checkpoint(Owner(1, "x"), 1, {"s": (StoredState(header),)})
    with pytest.raises(StorageError, match="a state header is not plain JSON"):
        encode(record)


def test_a_person_can_read_it() -> None:
    header, content = encode(Rollback(Owner(3, "c0ffee"), 7, 5)).decode().splitlines()
    assert json.loads(header)["raystream_record"] == 1
    assert json.loads(content) == {
        "record": "rollback",
        "owner": {"attempt": 3, "nonce": "c0ffee"},
        "slot": 7,
        "base": 5,
    }
