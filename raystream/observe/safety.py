"""Status of fault tolerance: checkpoints, open transactions, restarts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartStatus:
    """One restart: the attempt that failed, its first cause, seconds since the job started.

    Args:
        attempt: Number of the attempt that failed.
        cause: The first cause, in one line.
        at_s: Time, seconds since the job started.
        at_ms: Time, epoch ms.
        downtime_s: Until the next attempt ran; None: not yet.
        lines: The cause in at most 10 lines, ending on the user's own line if there is one.
        reason: What was wrong, without which task failed and where; empty: see `cause`.
    """

    attempt: int
    cause: str
    at_s: float
    at_ms: int = 0
    downtime_s: float | None = None
    lines: tuple[str, ...] = ()
    reason: str = ""

    @property
    def short(self) -> str:
        """What was wrong, for short displays."""
        return self.reason or self.cause


@dataclass(frozen=True, slots=True)
class CheckpointEntry:
    """One checkpoint in the history. Times that are not known (yet) are None.

    Args:
        number: 1, 2, .. over the life of the storage.
        state: running, completed, failed.
        triggered_at_ms: Epoch ms.
        duration_s: Trigger to `done` (or to the failure).
        align_s: The longest wait of a subtask from its first barrier to its last.
        sync_s: The longest pause of a subtask to take its snapshot.
        flush_s: The longest wait for a sink's transaction to be flushed and checked.
        upload_s: The longest time from a subtask's snapshot to durable state.
        ack_s: Trigger to last ack.
        commit_s: Last ack to `done`: the manifest and the transactions.
        size_bytes: Size of all state it names.
        new_bytes: Bytes uploaded for it.
        final: It ended the run.
        reason: Why it failed.
        savepoint: Address, if it was kept as a savepoint.
    """

    number: int
    state: str
    triggered_at_ms: int = 0
    duration_s: float | None = None
    align_s: float | None = None
    sync_s: float | None = None
    flush_s: float | None = None
    upload_s: float | None = None
    ack_s: float | None = None
    commit_s: float | None = None
    size_bytes: int = 0
    new_bytes: int = 0
    final: bool = False
    reason: str = ""
    savepoint: str = ""


@dataclass(frozen=True, slots=True)
class CheckpointStatus:
    """Checkpoints of this run: the last completed one, and the running one.

    Args:
        number: Last completed (0: none yet).
        completed: How many completed in this run.
        failed: How many were aborted by a failed attempt.
        running: Number of the running one, or None.
        duration_s: Trigger to `done` of the last.
        ack_s: Trigger to last ack.
        commit_s: Last ack to `done`.
        size_bytes: Size of all state it names.
        new_bytes: Bytes uploaded for it.
        age_s: Since it completed.
        running_s: Since the running one was triggered, or None.
        waiting_for: Subtasks whose ack of the running one is missing.
        storing_s: Since all of `waiting_for` handed in their state, which is not stored yet;
            None: some of them have not.
        interval_s: Configured interval between triggers.
        timeout_s: Configured limit from trigger to last ack.
        history: The last 20 of this run, oldest first.
    """

    number: int = 0
    completed: int = 0
    failed: int = 0
    running: int | None = None
    duration_s: float = 0.0
    ack_s: float = 0.0
    commit_s: float = 0.0
    size_bytes: int = 0
    new_bytes: int = 0
    age_s: float | None = None
    running_s: float | None = None
    waiting_for: tuple[str, ...] = ()
    storing_s: float | None = None
    interval_s: float = 0.0
    timeout_s: float = 0.0
    history: tuple[CheckpointEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """A transaction that holds rows and is not committed.

    Args:
        name: Its transactional id.
        step: The sink.
        subtask: Index of the sink's subtask.
        state: open (rows are added), prepared (it waits for its checkpoint's commit).
        rows: Rows in it.
        age_s: Since before its first row.
        limit_s: Age at which the broker aborts it; 0: not known.
    """

    name: str
    step: str = ""
    subtask: int = 0
    state: str = "open"
    rows: int = 0
    age_s: float = 0.0
    limit_s: float = 0.0
