"""Map a checkpoint to a plan: what each subtask restores; the job header of a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from raystream.checkpoint.records import Checkpoint, Restore, StoredState
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph.nearest import did_you_mean
from raystream.ids import StepName, SubtaskId
from raystream.plan.physical import ChainSpec, PhysicalPlan, StepSpec

FORMAT = 1
"""Version of the header's content."""


@dataclass(frozen=True, slots=True)
class RestoreRefs:
    """What one step of one subtask restores; see operators.operator.Restored for `redistribute`."""

    states: tuple[StoredState, ...]
    redistribute: bool


def job_header(plan: PhysicalPlan) -> dict[str, Any]:
    """What a restore must know of the job that took a checkpoint, as JSON.

    `schemas` are all columns of each Read, so that a run without declared columns never learns
    them twice; `steps` is the meaning of state; `hash` and `polars` determine who owns a key.
    """
    from raystream.data.hashing import HASH_NAME, POLARS_VERSION

    steps = [spec for _, spec in plan.steps()]
    return {
        "header": FORMAT,
        "hash": HASH_NAME,
        "polars": POLARS_VERSION,
        "schemas": {s.name: _read_schema(s) for s in steps if s.step.source is not None},
        "types": _types(plan),
        "steps": {s.name: s.step.meaning() for s in steps},
    }


def types_of(header: Mapping[str, Any]) -> dict[StepName, Schema]:
    """Return types of each function in a header; see `plan.schemas.typed`."""
    return {name: Schema.from_json(value) for name, value in header.get("types", {}).items()}


def _types(plan: PhysicalPlan) -> dict[StepName, Any]:
    """Return types of functions, declared or learnt: fixed while the job has state."""
    found: dict[StepName, Schema] = {}
    for _, spec in plan.steps():
        found |= spec.step.given_types(spec.name)
    return {name: schema.to_json() for name, schema in found.items() if not schema.open}


def schemas_of(header: Mapping[str, Any]) -> dict[StepName, Schema]:
    """The columns of each Read in a header."""
    return {name: Schema.from_json(value) for name, value in header.get("schemas", {}).items()}


def other_sources(header: Mapping[str, Any], plan: PhysicalPlan) -> list[str]:
    """Sentences about steps that read from another source than before, so positions are void.

    Args:
        header: Job header of the checkpoint or savepoint.
        plan: What is to run.
    """
    before = header.get("steps", {})
    reads = [spec for _, spec in plan.steps() if spec.step.source is not None]
    found = [(s.name, before.get(s.name, {}).get("source"), s.step.meaning()) for s in reads]
    return [
        f"step {name!r} read {was} before, and reads {now['source']} now: what is new begins where "
        "a new job would, what is gone is not read to its end"
        for name, was, now in found
        if was and was != now["source"] and not was.endswith(" in memory")
    ]


def restore_states(
    base: Checkpoint | Restore, plan: PhysicalPlan, *, allow_removed: bool = False
) -> dict[SubtaskId, dict[StepName, RestoreRefs]]:
    """What every subtask restores; a step without state in the checkpoint starts empty.

    A subtask restores only its own old state if parallelism and key hash are the same; else it
    gets all states of the step and keeps what it owns. Sources always get all: their splits are
    reassigned.

    Args:
        base: The checkpoint, or the restore record.
        plan: What is to run.
        allow_removed: Drop the state of removed steps, and the positions of removed topics.

    Raises:
        ConfigurationError: a step with state or a topic is gone, or state means something else.
    """
    specs = {spec.name: spec for _, spec in plan.steps()}
    if not allow_removed:
        for name in removed_steps(base, plan):
            raise _removed(name, specs, f"checkpoint {base.number}")
        for name, splits in removed_splits(base, plan).items():
            raise _removed_splits(name, splits, specs[name], base.job)
    _check_meaning(base, specs)
    found: dict[SubtaskId, dict[StepName, RestoreRefs]] = {}
    same_hash = _same_hash(base.job)
    for chain, spec in plan.steps():
        states = base.steps.get(spec.name, ())
        if not any(_holds_anything(state) for state in states):
            continue
        for subtask in chain.subtasks():
            refs = _refs(states, chain, spec, subtask.index, same_hash=same_hash)
            found.setdefault(subtask, {})[spec.name] = refs
    return found


def _read_schema(spec: StepSpec) -> dict[str, Any]:
    schema: Schema = spec.step.schema
    return schema.to_json()


def _refs(
    states: tuple[StoredState, ...],
    chain: ChainSpec,
    spec: StepSpec,
    index: int,
    *,
    same_hash: bool,
) -> RestoreRefs:
    same = len(states) == chain.parallelism and same_hash
    if same and spec.step.source is None:
        return RestoreRefs((states[index],), redistribute=False)
    if same_hash and spec.step.source is None and not spec.step.broadcasts():
        states = _concerning(states, index, chain.parallelism)
    return RestoreRefs(states, redistribute=True)


def _concerning(
    states: tuple[StoredState, ...], index: int, parallelism: int
) -> tuple[StoredState, ...]:
    """The states, without segments that hold no key of this subtask, which saves reading them.

    An owner is the hash modulo the parallelism. So subtask i of p and old subtask j of q share keys
    only if i and j have the same remainder by gcd(p, q): from 2 to 4 each reads one of the two.
    """
    shared = math.gcd(len(states), parallelism)
    return tuple(
        state if (old - index) % shared == 0 else replace(state, segments=())
        for old, state in enumerate(states)
    )


def _same_hash(header: Mapping[str, Any]) -> bool:
    from raystream.data.hashing import HASH_NAME, POLARS_VERSION

    return header.get("hash") == HASH_NAME and header.get("polars") == POLARS_VERSION


def _holds_anything(state: StoredState) -> bool:
    return bool(state.header or state.segments)


def removed_steps(base: Checkpoint | Restore, plan: PhysicalPlan) -> list[StepName]:
    """Steps with state that are not in the plan, sorted."""
    present = {spec.name for _, spec in plan.steps()}
    was = base.job.get("steps", {})
    return sorted(
        name
        for name, states in base.steps.items()
        if name not in present
        and (any(state.segments for state in states) or _was_read(was, name, states))
    )


def removed_splits(base: Checkpoint | Restore, plan: PhysicalPlan) -> dict[StepName, list[str]]:
    """Splits with a position in the checkpoint that their step no longer reads, as of a topic.

    Args:
        base: The checkpoint, or the restore record.
        plan: What is to run.
    """
    found: dict[StepName, list[str]] = {}
    for _, spec in plan.steps():
        if spec.step.source is not None:
            headers = [state.header or {} for state in base.steps.get(spec.name, ())]
            gone = {
                split
                for header in headers
                for split in header.get("positions", ())
                if not spec.step.source.covers(split, header.get("source", ""))
            }
            found |= {spec.name: sorted(gone)} if gone else {}
    return found


def _removed_splits(
    name: StepName, splits: list[str], spec: StepSpec, header: Mapping[str, Any]
) -> ConfigurationError:
    was = str(header.get("steps", {}).get(name, {}).get("source", ""))
    topics = sorted({split.rpartition("/")[0] or split for split in splits})
    shown = was if was.startswith("files ") else ", ".join(topics)
    source = spec.step.source.describe()
    text = f"step {name!r} has read {shown} so far, and now reads only {source}"
    advice = (
        f"read {shown} with it too; if it is to go, not read to its end, run once with "
        "--allow-non-restored-state"
    )
    return ConfigurationError(text, str(spec.origin), advice)


def _was_read(was: Mapping[str, Any], name: StepName, states: Iterable[StoredState]) -> bool:
    is_read = was.get(name, {}).get("kind") == "Read"
    return is_read and any(_holds_anything(state) for state in states)


def _removed(name: StepName, specs: Mapping[StepName, StepSpec], where: str) -> ConfigurationError:
    text = f"the checkpoint holds state of step {name!r}, which the job no longer has"
    near = did_you_mean(name, specs)
    hint = f"{near} " if near.endswith("?") else f"it has {near.removeprefix('one of ')}. "
    advice = (
        f"{hint}If it was renamed, give it name={name!r}; if it is to go with its state, run once "
        "with --allow-non-restored-state"
    )
    return ConfigurationError(text, where, advice)


def _check_meaning(base: Checkpoint | Restore, specs: Mapping[StepName, StepSpec]) -> None:
    for name, before in base.job.get("steps", {}).items():
        if name not in specs or not any(state.segments for state in base.steps.get(name, ())):
            continue
        now = specs[name].step.meaning()
        changed = [part for part in before if now.get(part, before[part]) != before[part]]
        if changed and changed != ["aggregates"]:
            raise _changed(name, changed[0], before, now, specs[name])
        added = changed and not specs[name].step.takes_new_aggregates
        if changed and (added or _aggregates_differ(base, before, now)):
            raise _changed(name, "aggregates", before, now, specs[name])


def _aggregates_differ(
    base: Checkpoint | Restore, before: Mapping[str, Any], now: Mapping[str, Any]
) -> bool:
    """Whether one of the old aggregates is gone or has changed; new ones are allowed.

    Another Polars may serialize the same expression differently: then only columns count.
    """
    was, is_now = before["aggregates"], now.get("aggregates", {})
    if _same_hash(base.job):
        return any(is_now.get(name) != text for name, text in was.items())
    return not set(was) <= set(is_now)


def new_aggregates(base: Checkpoint | Restore, plan: PhysicalPlan) -> dict[StepName, list[str]]:
    """Aggregates that are new next to others which have state.

    Args:
        base: The checkpoint, or the restore record.
        plan: What is to run.
    """
    was = base.job.get("steps", {})
    found: dict[StepName, list[str]] = {}
    for _, spec in plan.steps():
        known = was.get(spec.name, {}).get("aggregates")
        has_state = any(state.segments for state in base.steps.get(spec.name, ()))
        if known is not None and has_state:
            now = spec.step.meaning().get("aggregates", {})
            new = [name for name in now if name not in known]
            found |= {spec.name: new} if new else {}
    return found


def _changed(
    name: StepName, part: str, before: Mapping[str, Any], now: Mapping[str, Any], spec: StepSpec
) -> ConfigurationError:
    text = (
        f"step {name!r} has state of an older job that means something else: "
        f"{part} was {before.get(part)}, is {now.get(part)}"
    )
    advice = (
        "give the step another name and run once with --allow-non-restored-state, or start with "
        "--from-scratch"
    )
    return ConfigurationError(text, str(spec.origin), advice)
