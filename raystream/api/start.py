"""Where a run starts from: its last checkpoint, a savepoint, or nothing; checked before it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raystream.errors import ConfigurationError

if TYPE_CHECKING:
    from raystream.api.run import RunOptions
    from raystream.checkpoint.records import Checkpoint
    from raystream.plan.physical import PhysicalPlan
    from raystream.storage.base import Store


@dataclass(frozen=True, slots=True)
class OpenedSavepoint:
    """A savepoint that is there: its absolute address and what it holds."""

    address: str
    content: Checkpoint


def check_start(options: RunOptions) -> None:
    """Refuse what contradicts itself.

    Raises:
        ConfigurationError: from scratch and from a savepoint, or a claim of no savepoint.
    """
    if options.from_savepoint is not None and not options.from_savepoint.strip():
        what = "from_savepoint is empty"
        raise ConfigurationError(what, what_to_do="give the address of a savepoint")
    if options.from_scratch and options.from_savepoint is not None:
        what = "a run starts either from scratch or from a savepoint"
        raise ConfigurationError(what, what_to_do="leave out one of the two")
    if options.claim and options.from_savepoint is None:
        what = "there is no savepoint to claim"
        raise ConfigurationError(what, what_to_do="say which: --from-savepoint ADDRESS --claim")


def opened(options: RunOptions) -> OpenedSavepoint | None:
    """The savepoint that was asked for, read.

    Raises:
        ConfigurationError: there is none at this address.
        StorageError: it is damaged, of a newer raystream, or can not be reached.
    """
    if options.from_savepoint is None:
        return None
    from raystream.storage.open import open_store
    from raystream.storage.savepoints import absolute, check_exists, read_savepoint

    address = absolute(options.from_savepoint)
    check_exists(address)
    return OpenedSavepoint(address, read_savepoint(open_store(address)))


def check_fits(
    savepoint: OpenedSavepoint,
    plan: PhysicalPlan,
    store: Store,
    options: RunOptions,
    say: Callable[[str], None],
) -> None:
    """Refuse state that has no place in the plan, and say what is left behind.

    Args:
        savepoint: To start from.
        plan: What is to run.
        store: The job's storage.
        options: What the user said.
        say: Takes warnings.

    Raises:
        ConfigurationError: a step with state is gone, or its state means something else now.
    """
    from raystream.plan.restore import removed_splits, removed_steps, restore_states

    restore_states(savepoint.content, plan, allow_removed=options.allow_non_restored_state)
    for name in removed_steps(savepoint.content, plan):
        say(f"warning: the state of step {name!r} is left behind")
    for name, splits in removed_splits(savepoint.content, plan).items():
        say(f"warning: step {name!r} no longer reads {', '.join(splits)}")
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


def _newest(store: Store) -> Checkpoint | None:
    """The newest checkpoint of the job's own storage."""
    from raystream.api.learn import newest_base
    from raystream.checkpoint.records import Checkpoint

    base = newest_base(store)
    return base if isinstance(base, Checkpoint) else None
