"""Initial pace of a subtask: cautious where user code may be slow."""

from __future__ import annotations

from raystream.connectors.traits import is_steady
from raystream.operators.step import UserCode
from raystream.plan.physical import ChainSpec, PhysicalPlan, StepSpec
from raystream.runtime.pace import (
    BATCH_ROWS,
    COLUMN_ROWS,
    FIRST_AHEAD,
    FIRST_ROWS,
    ROW_CODE_ROWS,
    Start,
)


def start_of(plan: PhysicalPlan, chain: ChainSpec) -> Start:
    """Initial sizes of a chain, and the number of parts into which the waiting time is divided."""
    mine = any(_is_code(step) for step in chain.steps)
    costly = any(_costs_by_call(step) for step in chain.steps)
    by_row = any(step.step.code() is UserCode.ROWS for step in chain.steps)
    unknown = any(_is_unknown(step) for step in chain.steps)
    return Start(
        piece=1 if mine else FIRST_ROWS,
        most=ROW_CODE_ROWS if by_row else BATCH_ROWS,
        ahead=first_ahead(plan),
        least_ahead=1 if unknown or (mine and _code_behind(plan, chain)) else COLUMN_ROWS,
        stages=1 + _hops(plan),
        calls=costly or not unknown,  # a call on columns costs as much as some hundred rows
        whole=costly,
        least=1 if unknown else COLUMN_ROWS,
    )


def first_ahead(plan: PhysicalPlan) -> int:
    """Rows that may be in flight initially: to a subtask, and on each channel."""
    return FIRST_AHEAD if any(_is_code(step) for _, step in plan.steps()) else FIRST_ROWS


def _costs_by_call(spec: StepSpec) -> bool:
    """Whether a batch costs much beside its rows: a call of the user's, or state of its keys.

    If that were taken for the cost of rows, a loaded machine would get one row at a time for ever.
    """
    code = spec.step.code()
    by_state = code is UserCode.ROWS and spec.step.keeps_state
    return code is UserCode.BATCHES or by_state or spec.step.calls_cost


def _is_code(spec: StepSpec) -> bool:
    """Whether its cost is unknown: user functions, and sinks that are not steady."""
    sink = spec.step.sink
    if sink is not None:
        return not is_steady(sink)
    return spec.step.code() is not UserCode.NONE


def _is_unknown(spec: StepSpec) -> bool:
    """Whether its cost is not known by rows: functions of rows are measured by themselves."""
    return _is_code(spec) and spec.step.code() is not UserCode.ROWS


def _code_behind(plan: PhysicalPlan, chain: ChainSpec) -> bool:
    """Whether code of unknown cost is in a chain behind it, which it has to wait for."""
    behind = {chain.name}
    for other in plan.chains:  # in topological order
        if other.name in behind:
            behind |= {exchange.target for exchange in plan.outputs_of(other.name)}
    behind.discard(chain.name)
    return any(_is_code(step) for c in plan.chains if c.name in behind for step in c.steps)


def _hops(plan: PhysicalPlan) -> int:
    """Exchanges on the longest path."""
    depth = dict.fromkeys((chain.name for chain in plan.chains), 0)
    for chain in plan.chains:  # in topological order
        for exchange in plan.outputs_of(chain.name):
            depth[exchange.target] = max(depth[exchange.target], depth[chain.name] + 1)
    return max(depth.values(), default=0)
