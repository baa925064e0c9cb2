"""The same protocol over a real directory: records as bytes, slots as files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from raystream.checkpoint.codec import decode, encode
from raystream.checkpoint.keys import slot_key
from raystream.checkpoint.protocol.commands import Create, Delete, ListKeys, Read
from raystream.checkpoint.protocol.procedure import Command
from raystream.errors import StorageError
from raystream.storage.base import Store
from raystream.storage.local import LocalStore
from raystream.storage.memory import MemoryStore
from tests.checkpoint.protocol.world import Runner, World, attempt


@dataclass
class WorldOnDisk(World):
    """A world whose objects are in a real store."""

    store: Store = field(default_factory=MemoryStore)

    def perform(self, command: Command[Any]) -> Any:
        match command:
            case Create(key, record):
                super().perform(command)  # for its checks
                return self.store.create(key, encode(record))
            case Read(key):
                data = self.store.get(key)
                return None if data is None else decode(key, data)
            case ListKeys(prefix):
                return tuple(self.store.list(prefix))
            case Delete(keys):
                super().perform(command)
                return self.store.delete(keys)
        return super().perform(command)


def test_crashes_and_recoveries_over_files(tmp_path: Path) -> None:
    for n in range(0, 60, 4):
        world = WorldOnDisk(store=LocalStore(tmp_path / str(n)))
        runner = Runner(attempt(world, "n0"), "a0")
        for _ in range(n):
            if runner.alive:
                runner.step(world)
        runner.crash()
        fresh = Runner(attempt(world, "n1"), "a1")
        fresh.run(world)
        assert fresh.result == "finished"
        world.check()
        again = Runner(attempt(world, "n2"), "a2")
        again.run(world)
        assert again.result == "finished"
        world.check()


def test_a_damaged_newest_checkpoint_is_a_clear_stop(tmp_path: Path) -> None:
    world = WorldOnDisk(store=LocalStore(tmp_path))
    Runner(attempt(world, "n0"), "a0").run(world)
    path = tmp_path / slot_key(2)
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(bytes(data))
    fresh = Runner(attempt(world, "n1"), "a1")
    with pytest.raises(StorageError, match="m-0000000002: the object is damaged"):
        fresh.run(world)
    assert not (tmp_path / slot_key(3)).exists()
    world.check()
