"""Records of checkpoints: acks, stored state, committables, slots of the manifest log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from raystream.ids import StepName, SubtaskId


@dataclass(frozen=True, slots=True)
class Owner:
    """Writer of an object: attempt number and the random nonce of the process that claimed it."""

    attempt: int
    nonce: str


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """Location of a segment: object key, size in bytes, checksum of the bytes."""

    id: str
    key: str
    size: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Committable:
    """A pre-committed transaction (or hidden file) that phase two makes visible.

    Args:
        sink: Step name of the sink, by which the committer is found.
        subtask: Index of the sink subtask.
        n_records: How many records it holds.
        partitions: Where they go, for messages: `counts/3`, a file name.
        handle: Opaque text that only the sink's committer reads.
        age_s: Seconds since just before its first record: by the sink's monotonic clock up to the
            pre-commit, then by the coordinator's up to step 5.
    """

    sink: StepName
    subtask: int
    n_records: int
    partitions: tuple[str, ...]
    handle: str
    age_s: float = 0.0


def older(one: Committable, seconds: float) -> Committable:
    """The committable with its age increased.

    >>> older(Committable("sink", 0, 5, (), "", age_s=1.5), 2.0).age_s
    3.5
    """
    return replace(one, age_s=one.age_s + max(0.0, seconds))


@dataclass(frozen=True, slots=True)
class StoredState:
    """Durable state of a step in one subtask: small JSON header, segments, maybe a committable."""

    header: Mapping[str, Any] = field(default_factory=dict)
    segments: tuple[SegmentRef, ...] = ()
    committable: Committable | None = None

    def older(self, seconds: float) -> StoredState:
        """The state with its open transaction aged by this time."""
        one = self.committable
        return self if one is None else replace(self, committable=older(one, seconds))


@dataclass(frozen=True, slots=True)
class Ack:
    """All state of `subtask` for checkpoint `checkpoint` is durable.

    `counters` are those of this attempt at the snapshot.
    """

    subtask: SubtaskId
    checkpoint: int
    steps: Mapping[StepName, StoredState]
    counters: Mapping[StepName, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Content of a manifest slot that commits checkpoint `number`.

    Args:
        owner: Attempt that created the slot.
        number: 1, 2, .. over the life of the storage.
        steps: Step -> state of its subtasks by index (its length is the parallelism at the time).
        final: The job finished or was stopped with this checkpoint.
        job: What a restore must know about the job: schemas, steps, hash name, polars version
            (JSON); and the counters of the run.
    """

    owner: Owner
    number: int
    steps: Mapping[StepName, tuple[StoredState, ...]]
    final: bool = False
    job: Mapping[str, Any] = field(default_factory=dict)

    def committables(self) -> list[Committable]:
        """Every committable that the checkpoint names."""
        states = (state for states in self.steps.values() for state in states)
        return [state.committable for state in states if state.committable is not None]


@dataclass(frozen=True, slots=True)
class Seal:
    """Attempt `owner.attempt` took over: no older attempt may add a slot."""

    owner: Owner


@dataclass(frozen=True, slots=True)
class Restore:
    """The job continues from a savepoint or from scratch (`steps` empty: `--from-scratch`).

    Checkpoint numbers continue: `number` is that of the newest checkpoint before it.
    """

    owner: Owner
    savepoint: str
    number: int
    steps: Mapping[StepName, tuple[StoredState, ...]] = field(default_factory=dict)
    job: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rollback:
    """Nothing of slot `slot` was committed: the job replays from slot `base` (None: the start)."""

    owner: Owner
    slot: int
    base: int | None


SlotRecord = Checkpoint | Seal | Restore | Rollback


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """Content of `attempt-<k>`."""

    owner: Owner


@dataclass(frozen=True, slots=True)
class Done:
    """Every transaction of slot `slot` is committed; `lost` is set only by `--accept-loss`."""

    owner: Owner
    slot: int
    lost: tuple[Committable, ...] = ()


Record = SlotRecord | AttemptRecord | Done
