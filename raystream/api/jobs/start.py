"""Where a run starts from: its last checkpoint, a savepoint, or no checkpoint; checked first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raystream.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from raystream.api.jobs.run import RunOptions
    from raystream.checkpoint.records import Checkpoint, Restore
    from raystream.plan.physical import PhysicalPlan
    from raystream.storage.base import Store


@dataclass(frozen=True, slots=True)
class OpenedSavepoint:
    """An existing savepoint: its absolute address and its content."""

    address: str
    content: Checkpoint


def check_start(options: RunOptions) -> None:
    """Refuse contradictory options.

    Raises:
        ConfigurationError: from scratch and from a savepoint, or a claim without a savepoint.
    """
    if options.from_savepoint is not None and not options.from_savepoint.strip():
        what = "from_savepoint is empty"
        raise ConfigurationError(what, what_to_do="give the address of a savepoint")
    if options.from_scratch and options.from_savepoint is not None:
        what = "a run starts either from scratch or from a savepoint"
        raise ConfigurationError(what, what_to_do="leave out one of the two")
    if options.claim and options.from_savepoint is None:
        what = "there is no savepoint to claim"
        raise ConfigurationError(what, what_to_do="pass it: --from-savepoint ADDRESS --claim")


def opened(options: RunOptions) -> OpenedSavepoint | None:
    """Open and read the requested savepoint.

    Raises:
        ConfigurationError: there is none at this address.
        StorageError: it is damaged, of a newer raystream, or cannot be reached.
    """
    if options.from_savepoint is None:
        return None
    from raystream.storage.open import open_store
    from raystream.storage.savepoints import absolute, check_exists, read_savepoint

    address = absolute(options.from_savepoint)
    check_exists(address)
    return OpenedSavepoint(address, read_savepoint(open_store(address)))


def start_of(
    store: Store, savepoint: OpenedSavepoint | None, options: RunOptions
) -> Checkpoint | Restore | None:
    """What the run continues from; None: it starts without a checkpoint.

    Raises:
        StorageError: the newest record is damaged.
    """
    from raystream.api.samples.learn import newest_base

    if savepoint is not None:
        return savepoint.content
    return None if options.from_scratch else newest_base(store)


def tell_left_behind(
    base: Checkpoint | Restore,
    savepoint: OpenedSavepoint | None,
    plan: PhysicalPlan,
    store: Store,
    say: Callable[[str], None],
) -> None:
    """Report the state that a start drops, before the run.

    Args:
        base: What the run continues from.
        savepoint: The savepoint to start from, if any.
        plan: What is to run.
        store: The job's storage.
        say: Receives warnings.
    """
    from raystream.plan.restore import new_aggregates, removed_splits, removed_steps
    from raystream.storage.open import open_store

    kept_in = store if savepoint is None else open_store(savepoint.address)
    for name in removed_steps(base, plan):
        held = _held(base, name, kept_in)
        say(f"warning: the state of step {name!r} is given up{held}")
    for name, new in new_aggregates(base, plan).items():
        say(
            f"warning: step {name!r}: {', '.join(new)} begins now, and counts no earlier rows of"
            " the windows that are open; the others continue"
        )
    for name, splits in removed_splits(base, plan).items():
        say(f"warning: step {name!r} no longer reads {', '.join(splits)}")
    if savepoint is None:
        return
    own = _newest(store)
    if own is not None and own.owner != savepoint.content.owner:
        say(
            f"warning: the job's own checkpoint {own.number} is left; what it wrote since the "
            f"savepoint was taken is written again"
        )
    elif own is not None and own.number > savepoint.content.number:
        say(
            f"warning: checkpoints {savepoint.content.number + 1} to {own.number} are left; what "
            f"the job wrote in them is written again"
        )


def _held(base: Checkpoint | Restore, step: str, store: Store) -> str:
    """Size of a step's state in rows and bytes; it is read piece by piece to be counted.

    A row of state is a partial aggregate of one key and pane, or whatever the step keeps as one.
    """
    from raystream.observe.words import size
    from raystream.storage.segments import read_segment

    refs = [ref for state in base.steps.get(step, ()) for ref in state.segments]
    total = sum(ref.size for ref in refs)
    if not refs:
        return ""
    try:
        rows = sum(len(read_segment(store, ref).frame) for ref in refs)
    except StorageError:
        return f": {size(total)}"
    return f": {rows} rows, {size(total)}"


def _newest(store: Store) -> Checkpoint | None:
    """The newest checkpoint of the job's own storage."""
    from raystream.api.samples.learn import newest_base
    from raystream.checkpoint.records import Checkpoint

    base = newest_base(store)
    return base if isinstance(base, Checkpoint) else None
