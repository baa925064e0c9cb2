"""Everything a coordinator needs to run a job: the constructor argument of its actor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from raystream.checkpoint.records import SegmentRef
from raystream.connectors.base import Split
from raystream.graph.policies import DeliveryGuarantee, RestartStrategy
from raystream.ids import StepName, SubtaskId
from raystream.plan.physical import PhysicalPlan
from raystream.plan.restore import RestoreRefs as RestoreRefs  # noqa: PLC0414 - its old home


@dataclass(frozen=True, slots=True)
class CheckpointSettings:
    """When and where checkpoints are taken; all times in seconds.

    Args:
        storage: URL or absolute path; the job is stored in `<storage>/<job>/`.
        interval: Between triggers.
        min_pause: Between `done` of one and the trigger of the next.
        timeout: From trigger to last ack; after that the attempt fails.
        retain: Number of completed checkpoints to keep.
    """

    storage: str
    interval: float = 10.0
    min_pause: float = 0.0
    timeout: float = 300.0
    retain: int = 1


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A planned job.

    Args:
        name: `[A-Za-z0-9_-]{1,60}`.
        splits: Step name of each source -> its splits, discovered once when the run started
            (kept across attempts; with ends only in a bounded run).
        bounded: The job ends when every split is read to its end.
        from_scratch: Start with a restore of the empty state (once, at the first recovery).
        accept_loss: The first recovery continues without transactions that cannot be committed any
            more, and records them.
        savepoint: Address of a savepoint to start from (once, at the first recovery), or None.
        claim: The savepoint belongs to the job: it is deleted after the first checkpoint.
        allow_non_restored_state: State of steps that are gone may be dropped.
        liveness_timeout: Seconds without an answer to a ping before a subtask is suspect.
        run: Random id of this run, kept when its coordinator is restarted with the same spec (so
            that `from_scratch` happens once and a final checkpoint ends it); empty: one process.
        fingerprint: Hash of the submitted content: equal for a second submission of the same.
        store_id: Id of the checkpoint storage when the run began; empty: of the storage as found.
        state_memory: Bytes of memory for the state of each subtask; None: a share of the node's.
        state_directory: Local directory for the state above it; empty: in that of the system for
            temporary files.
    """

    name: str
    plan: PhysicalPlan
    checkpoint: CheckpointSettings
    splits: Mapping[StepName, tuple[Split, ...]]
    delivery_guarantee: DeliveryGuarantee = DeliveryGuarantee.EXACTLY_ONCE
    restart: RestartStrategy = field(default_factory=RestartStrategy)
    bounded: bool = False
    from_scratch: bool = False
    accept_loss: bool = False
    savepoint: str | None = None
    claim: bool = False
    allow_non_restored_state: bool = False
    liveness_timeout: float = 10.0
    run: str = ""
    fingerprint: str = ""
    store_id: str = ""
    state_memory: int | None = None
    state_directory: str = ""


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """What a subtask receives when it is opened (or reset) for an attempt.

    Args:
        splits: Source step -> all splits of the run that are in no checkpoint yet; the subtask
            takes those that it owns (connectors.splits.owner).
        restore: Step -> state to restore (absent: starts empty).
        channel_key: Secret of this attempt for the handshake of channels.
        lease: Seconds without a ping after which the subtask ends itself.
    """

    job: JobSpec
    attempt: int
    subtask: SubtaskId
    store_id: str
    restore: Mapping[StepName, RestoreRefs]
    splits: Mapping[StepName, tuple[Split, ...]]
    channel_key: bytes = b""
    lease: float = 8.0

    def kept_segments(self) -> dict[tuple[StepName, str], SegmentRef]:
        """Durable segments that it keeps under their ids, because it restores its own state."""
        return {
            (step, ref.id): ref
            for step, refs in self.restore.items()
            if not refs.redistribute
            for state in refs.states
            for ref in state.segments
        }
