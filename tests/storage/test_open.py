"""Addresses, jobs and the id of a storage."""

from __future__ import annotations

from pathlib import Path

import pytest

import raystream as rs
from raystream.errors import ConfigurationError, StorageError
from raystream.storage.base import Put
from raystream.storage.local import LocalStore
from raystream.storage.memory import MemoryStore
from raystream.storage.obstore import ObjectStore
from raystream.storage.open import STORE_KEY, job_store, open_store, store_id
from raystream.storage.savepoints import absolute


def test_a_path_and_a_file_url_are_directories(tmp_path: Path) -> None:
    plain, url = open_store(str(tmp_path / "a b")), open_store(f"file://{tmp_path}/a%20b")
    assert isinstance(plain, LocalStore)
    assert plain.url == url.url == str(tmp_path / "a b")


def test_the_url_of_a_store_opens_it_again(tmp_path: Path) -> None:
    for address in (str(tmp_path), "memory://again"):
        store = job_store(address, "requests")
        store.create("m-1", b"x")
        assert open_store(store.url).get("m-1") == b"x"


def test_jobs_do_not_see_each_other(tmp_path: Path) -> None:
    job_store(str(tmp_path), "one").create("m-1", b"x")
    assert job_store(str(tmp_path), "two").list("") == []
    assert (tmp_path / "one" / "m-1").exists()


def test_the_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_store("~/checkpoints").url == str(tmp_path / "checkpoints")


def test_a_bucket_is_opened_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    store = job_store("s3://bucket/checkpoints", "requests")
    assert isinstance(store, ObjectStore)
    assert store.url == "s3://bucket/checkpoints/requests"


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "x" * 61])
def test_a_bad_name_of_a_job_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a name for a job"):
        job_store("memory://x", name)


def test_an_unknown_kind_of_storage_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ftp:// is not a checkpoint storage"):
        open_store("ftp://host/x")
    with pytest.raises(ConfigurationError, match="on another machine"):
        open_store("file://host/x")


@pytest.mark.parametrize("address", ["s3://key:hush@bucket/x", "gs://:hush@bucket"])
def test_credentials_in_an_address_are_refused_and_not_shown(address: str) -> None:
    with pytest.raises(ConfigurationError, match="takes no credentials") as caught:
        job_store(address, "requests")
    assert "hush" not in str(caught.value)


def test_the_id_is_made_once_and_differs_between_storages(tmp_path: Path) -> None:
    first = store_id(LocalStore(tmp_path / "a"))
    assert store_id(LocalStore(tmp_path / "a")) == first
    assert store_id(LocalStore(tmp_path / "b")) != first
    assert len(first) == 8
    assert set(first) <= set("0123456789abcdef")


class Doubtful(MemoryStore):
    """Every first put lands, but its answer is lost."""

    def create(self, key: str, data: bytes) -> Put:
        answer = super().create(key, data)
        return Put.UNKNOWN if answer is Put.CREATED else answer


def test_an_unknown_outcome_gives_one_id_all_the_same() -> None:
    store = Doubtful()
    assert store_id(store) == store_id(store)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"id": 7}', b'{"id": "../../etc"}', b"[1]"])
def test_a_damaged_id_is_an_error(content: bytes) -> None:
    store = MemoryStore()
    store.create(STORE_KEY, content)
    with pytest.raises(StorageError, match="is damaged"):
        store_id(store)


@pytest.mark.parametrize("address", ["s3:/typo", "s3:typo", "gs:/x", "az:/x/y", "file:/x", "S3:/b"])
def test_what_is_almost_a_url_becomes_no_directory(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    p = rs.Pipeline("job", checkpoint_storage=address)
    p.read(rs.Rows([{"n": 1}])).write(rs.Collect())
    with pytest.raises(ConfigurationError, match="is not an address; write (s3|gs|az|file)://"):
        p.run(until="latest", local=True)
    with pytest.raises(ConfigurationError, match="is not an address"):
        open_store(address)
    with pytest.raises(ConfigurationError, match="is not an address"):
        absolute(address)
    assert list(tmp_path.iterdir()) == []


def test_files_are_where_they_are_mounted() -> None:
    for address in ("s3://bucket/in", "s3:/bucket/in", "file:///in"):
        with pytest.raises(ConfigurationError, match="is not a path of files"):
            rs.Files(address)
