"""Encode and decode slot records, attempts and done marks: JSON with format version and checksum.

An object is two lines: a header with version and checksum, and the content as one line of JSON,
so that people can read it and damage is always detected. Nothing read back is ever executed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from raystream.checkpoint.keys import check_key
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

FORMAT = 1
"""Version of the records written; all versions up to it are read."""

_Object = Mapping[str, Any]


def encode(record: Record) -> bytes:
    """The record as bytes.

    Raises:
        StorageError: a state header holds something that is not plain JSON.

    >>> print(encode(Seal(Owner(2, "c0ffee"))).decode().splitlines()[1])
    {"owner":{"attempt":2,"nonce":"c0ffee"},"record":"seal"}
    """
    try:
        content = json.dumps(_to_json(record), separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        text = f"a state header is not plain JSON: {error}"
        raise StorageError(text, type(record).__name__) from None
    return _header(content) + content


def decode(key: str, data: bytes) -> Record:
    """The record in `data`, the bytes of the object called `key`.

    Raises:
        StorageError: the object is damaged, of a newer format, or not a raystream record; the
            message names the key.
    """
    header, newline, content = data.partition(b"\n")
    if header + newline != _header(content):
        _refuse(key, header)
    try:
        return _from_json(json.loads(content))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        text = f"its content makes no sense: {error!r}"
        raise _damaged(key, text) from None


def _header(content: bytes) -> bytes:
    checksum = blake2b(content, digest_size=32).hexdigest()
    return b'{"raystream_record":%d,"blake2b":"%s"}\n' % (FORMAT, checksum.encode())


def _refuse(key: str, header: bytes) -> None:
    try:
        version = json.loads(header)["raystream_record"]
    except (ValueError, KeyError, TypeError, RecursionError):
        version = FORMAT
    if isinstance(version, int) and version > FORMAT:
        text = f"format {version} is newer than this raystream, which reads up to {FORMAT}"
        raise StorageError(text, key, "upgrade raystream")
    raise _damaged(key, "its checksum does not match")


def _damaged(key: str, why: str) -> StorageError:
    advice = "restore this object from a copy, or start from a savepoint or --from-scratch"
    return StorageError(f"the object is damaged: {why}", key, advice)


# --- to JSON


def _to_json(record: Record) -> _Object:
    owner = {"owner": {"attempt": record.owner.attempt, "nonce": record.owner.nonce}}
    match record:
        case Checkpoint():
            body: _Object = {
                "record": "checkpoint",
                "number": record.number,
                "final": record.final,
                "steps": _steps_to_json(record.steps),
                "job": dict(record.job),
            }
        case Seal():
            body = {"record": "seal"}
        case Restore():
            body = {
                "record": "restore",
                "savepoint": record.savepoint,
                "number": record.number,
                "steps": _steps_to_json(record.steps),
                "job": dict(record.job),
            }
        case Rollback():
            body = {"record": "rollback", "slot": record.slot, "base": record.base}
        case AttemptRecord():
            body = {"record": "attempt"}
        case Done():
            lost = [_committable_to_json(one) for one in record.lost]
            body = {"record": "done", "slot": record.slot, "lost": lost}
    return {**owner, **body}


def _steps_to_json(steps: Mapping[str, tuple[StoredState, ...]]) -> _Object:
    return {step: [_state_to_json(state) for state in states] for step, states in steps.items()}


def _state_to_json(state: StoredState) -> _Object:
    committable = state.committable
    return {
        "header": dict(state.header),
        "segments": [[ref.id, ref.key, ref.size, ref.checksum] for ref in state.segments],
        "committable": None if committable is None else _committable_to_json(committable),
    }


def _committable_to_json(one: Committable) -> _Object:
    return {
        "sink": one.sink,
        "subtask": one.subtask,
        "n_records": one.n_records,
        "partitions": list(one.partitions),
        "handle": one.handle,
        "age_s": one.age_s,
    }


# --- from JSON; a wrong type raises TypeError, a missing field KeyError, an odd value ValueError


def _from_json(content: Any) -> Record:
    body = _typed(content, dict)
    owner = Owner(_typed(body["owner"]["attempt"], int), _typed(body["owner"]["nonce"], str))
    return _READERS[_typed(body["record"], str)](owner, body)


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:  # bool is an int to isinstance
        text = f"{value!r:.60} is not {kind.__name__}"
        raise TypeError(text)
    return value


def _checkpoint(owner: Owner, body: _Object) -> Checkpoint:
    return Checkpoint(
        owner,
        _typed(body["number"], int),
        _steps(body["steps"]),
        _typed(body["final"], bool),
        _typed(body["job"], dict),
    )


def _restore(owner: Owner, body: _Object) -> Restore:
    return Restore(
        owner,
        _typed(body["savepoint"], str),
        _typed(body["number"], int),
        _steps(body["steps"]),
        _typed(body["job"], dict),
    )


def _rollback(owner: Owner, body: _Object) -> Rollback:
    base = body["base"]
    return Rollback(owner, _typed(body["slot"], int), None if base is None else _typed(base, int))


def _done(owner: Owner, body: _Object) -> Done:
    lost = tuple(_committable(one) for one in _typed(body["lost"], list))
    return Done(owner, _typed(body["slot"], int), lost)


_READERS: Mapping[str, Callable[[Owner, _Object], Record]] = {
    "checkpoint": _checkpoint,
    "seal": lambda owner, body: Seal(owner),
    "restore": _restore,
    "rollback": _rollback,
    "attempt": lambda owner, body: AttemptRecord(owner),
    "done": _done,
}


def _steps(value: Any) -> dict[str, tuple[StoredState, ...]]:
    steps = _typed(value, dict)
    return {step: tuple(map(_state, _typed(states, list))) for step, states in steps.items()}


def _state(value: Any) -> StoredState:
    state = _typed(value, dict)
    committable = state["committable"]
    return StoredState(
        _typed(state["header"], dict),
        tuple(map(_segment, _typed(state["segments"], list))),
        None if committable is None else _committable(committable),
    )


def _segment(value: Any) -> SegmentRef:
    segment, key, size, checksum = _typed(value, list)
    try:
        check_key(_typed(key, str))  # a tampered key must not reach outside the storage
    except StorageError as error:
        raise ValueError(error.what) from None
    return SegmentRef(_typed(segment, str), key, _typed(size, int), _typed(checksum, str))


def _committable(value: Any) -> Committable:
    one = _typed(value, dict)
    return Committable(
        _typed(one["sink"], str),
        _typed(one["subtask"], int),
        _typed(one["n_records"], int),
        tuple(_typed(name, str) for name in _typed(one["partitions"], list)),
        _typed(one["handle"], str),
        float(one["age_s"]),
    )
