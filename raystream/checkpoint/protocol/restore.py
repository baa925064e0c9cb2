"""Continuing from a savepoint or from scratch: adds a record to the log, never deletes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from raystream.checkpoint.protocol.commands import BringBack
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.recover import Recovered
from raystream.checkpoint.protocol.slots import create_slot
from raystream.checkpoint.records import Checkpoint, Restore, StoredState
from raystream.ids import StepName


def bring_back(recovered: Recovered, savepoint: str) -> Procedure[Checkpoint]:
    """Copy the savepoint between recovery 1-3 and `restore`, before the log names its state.

    A crash leaves files of an attempt that no record names; they are deleted as orphans.

    Raises:
        ConfigurationError: there is no savepoint.
        StorageError: the savepoint is damaged, or a storage cannot be used.
    """
    return (yield from ask(BringBack(savepoint, recovered.owner.attempt)))


def restore(
    recovered: Recovered,
    savepoint: str,
    steps: Mapping[StepName, tuple[StoredState, ...]],
    job: Mapping[str, Any],
) -> Procedure[Recovered]:
    """Append a restore record after recovery 1-3; only then may the job run.

    Without the record the next crash would silently undo the restore (V8). Output written after the
    savepoint was taken is written again: the caller asks the user first.

    Args:
        recovered: What `recover` returned: every handle is final.
        savepoint: Where the state came from, for people.
        steps: State of the savepoint; its committables are dropped because they are final.
        job: What the savepoint stores about the job.

    Raises:
        Superseded: a newer attempt exists.
    """
    kept = {step: tuple(map(_without_committable, states)) for step, states in steps.items()}
    number = recovered.next_checkpoint - 1
    record = Restore(recovered.owner, savepoint, number, kept, job)
    slot = recovered.head + 1
    yield from create_slot(slot, record, "restore")
    return replace(recovered, head=slot, base=record, base_slot=slot)


def from_scratch(recovered: Recovered) -> Procedure[Recovered]:
    """`--from-scratch`: a restore of the empty state.

    Raises:
        Superseded: a newer attempt exists.
    """
    return (yield from restore(recovered, "", {}, {}))


def _without_committable(state: StoredState) -> StoredState:
    return replace(state, committable=None)
