"""Every kind of name that comes out of storage is checked before it is used for anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from raystream.checkpoint.records import Committable, SegmentRef
from raystream.connectors.base import CommitterContext
from raystream.connectors.files.source import Files
from raystream.connectors.kafka.clients import Identity, TransactionAdmin
from raystream.connectors.kafka.committer import KafkaCommitter
from raystream.connectors.kafka.handle import Handle
from raystream.connectors.kafka.transactional_id import parse
from raystream.errors import ConfigurationError, StorageError
from raystream.storage.local import LocalStore
from raystream.storage.open import job_store, store_id
from raystream.storage.savepoints import absolute
from raystream.storage.segments import read_segment

EVIL = ["/../planted", "../planted", "/etc/passwd", "a/../../b", ".hidden", "a\x00b", "a\n", ""]


@pytest.mark.parametrize("name", EVIL)
def test_segment_keys(tmp_path: Path, name: str) -> None:
    store = LocalStore(tmp_path / "store")
    with pytest.raises(StorageError, match="is not a valid object name"):
        read_segment(store, SegmentRef("1", name, 1, "1:blake2b:00"))
    with pytest.raises(StorageError, match="is not a valid object name"):
        store.delete([name])


@pytest.mark.parametrize("name", EVIL)
def test_handles_of_files(tmp_path: Path, name: str) -> None:
    committer = Files(tmp_path).committer(CommitterContext("job", "0" * 8, "out", 2))
    assert committer is not None
    planted = Committable("out", 0, 1, (), name)
    for ask in (committer.commit, committer.abort, committer.check):
        with pytest.raises(StorageError, match="is not a file that step"):
            ask([replace(planted)])


@pytest.mark.parametrize(
    "text",
    [*EVIL, "{}", "[]", "null", '{"tid":"a"}', '{"tid":"a","pid":"x","epoch":0,"timeout_ms":1}'],
)
def test_handles_of_kafka(text: str) -> None:
    with pytest.raises(StorageError, match="is not a handle of a Kafka transaction"):
        Handle.from_text(text)


class NobodyIsAsked:
    """A broker: a forged handle never comes this far."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(name)


@pytest.mark.parametrize(
    "tid",
    [
        "job.0a1b2c3d.2.other.0.0",
        "job.0a1b2c3d.2.out.1.0",  # another subtask
        "job.ffffffff.2.out.0.0",  # another storage
        "payments.0a1b2c3d.2.out.0.0",
        "payments-of-somebody-else",
    ],
)
def test_handles_of_kafka_that_name_the_transaction_of_somebody_else(tid: str) -> None:
    ctx = CommitterContext("job", "0a1b2c3d", "out", 2)
    admin = cast(TransactionAdmin, NobodyIsAsked())
    committer = KafkaCommitter(ctx, "job", admin, lambda _: None)
    forged = Committable("out", 0, 1, ("t/0",), Handle(Identity(tid, 7, 0), 60_000).to_text())
    for ask in (committer.commit, committer.abort, committer.check):
        with pytest.raises(StorageError, match="is not a transaction that step 'out' opened"):
            ask([forged])


@pytest.mark.parametrize("name", EVIL)
def test_transactional_ids(name: str) -> None:
    assert parse(name) is None
    assert parse(f"job.0a1b2c3d.1.{name}.0.0") is None


@pytest.mark.parametrize("name", EVIL)
def test_names_of_jobs(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a name for a job"):
        job_store(str(tmp_path), name)


def test_the_id_of_a_storage_is_8_hex_digits_or_damage(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.create("store.json", b'{"raystream_store": 1, "id": "../../x"}')
    with pytest.raises(StorageError, match="is damaged"):
        store_id(store)


def test_addresses_of_savepoints() -> None:
    assert absolute("/a/../b") == "/b"
    with pytest.raises(ConfigurationError, match="is not an address"):
        absolute("s3:/a/b")
