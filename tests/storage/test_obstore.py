"""Which answers of a bucket are final and which leave the outcome open."""

from __future__ import annotations

from typing import Any

import obstore
import pytest
from obstore.exceptions import (
    AlreadyExistsError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
)
from obstore.store import MemoryStore as Bucket

from raystream.errors import StorageError
from raystream.storage.base import Put
from raystream.storage.obstore import ObjectStore


def answering(monkeypatch: pytest.MonkeyPatch, call: str, error: Exception) -> ObjectStore:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(obstore, call, fail)
    return ObjectStore(Bucket(), "s3://bucket/x")


@pytest.mark.parametrize("error", [AlreadyExistsError("x"), PreconditionError("412")])
def test_a_failed_condition_means_it_exists(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert answering(monkeypatch, "put", error).create("m-1", b"x") is Put.EXISTS


@pytest.mark.parametrize("error", [GenericError("timed out"), OSError("connection reset")])
def test_a_lost_answer_is_unknown(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    assert answering(monkeypatch, "put", error).create("m-1", b"x") is Put.UNKNOWN


CONFLICT = AlreadyExistsError("status code: 409 Conflict: <Code>ConditionalRequestConflict</Code>")
IN_AZURE = AlreadyExistsError("status code: 409 Conflict: <Code>BlobAlreadyExists</Code>")


@pytest.mark.parametrize(
    ("error", "there", "answer"),
    [(CONFLICT, False, Put.UNKNOWN), (CONFLICT, True, Put.EXISTS), (IN_AZURE, False, Put.EXISTS)],
)
def test_a_conflict_is_unknown_until_an_object_is_seen(
    monkeypatch: pytest.MonkeyPatch, error: Exception, there: bool, answer: Put
) -> None:
    bucket = Bucket()
    if there:
        obstore.put(bucket, "m-1", b"somebody's")

    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(obstore, "put", fail)
    assert ObjectStore(bucket, "s3://bucket/x").create("m-1", b"x") is answer


def test_a_record_of_one_piece_gets_time_for_its_size() -> None:
    limits: list[int] = []
    bucket = Bucket()

    def reopen(limit: int) -> Bucket:
        limits.append(limit)
        return bucket

    store = ObjectStore(bucket, "s3://bucket/x", reopen)
    for number, size in enumerate((1, 5 * 2**20, 9 * 2**20, 40 * 2**20)):
        assert store.create(f"m-{number}", bytes(size)) is Put.CREATED
    assert limits == [60, 240]
    assert len(store.get("m-3") or b"") == 40 * 2**20


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (PermissionDeniedError("403"), "allow get, put, list and delete"),
        (FileNotFoundError("no bucket"), "create the bucket first"),
    ],
)
def test_a_refusal_is_an_error_with_advice(
    monkeypatch: pytest.MonkeyPatch, error: Exception, advice: str
) -> None:
    store = answering(monkeypatch, "put", error)
    with pytest.raises(StorageError, match=advice) as caught:
        store.create("m-1", b"x")
    assert caught.value.where == "s3://bucket/x/m-1"


def test_a_read_that_fails_is_an_error_and_never_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="timed out"):
        answering(monkeypatch, "get", GenericError("timed out")).get("m-1")
    with pytest.raises(StorageError, match="timed out"):
        answering(monkeypatch, "list_with_delimiter", GenericError("timed out")).list("m-")
