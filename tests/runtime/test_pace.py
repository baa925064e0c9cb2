"""Pace: rows at once and rows that wait are fitted to what rows cost, whatever they cost."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.plan.planner import plan
from raystream.runtime.channels.credit import NO_LIMIT
from raystream.runtime.pace import (
    AHEAD_S,
    BATCH_ROWS,
    CALL_S,
    COLUMN_ROWS,
    PIECE_S,
    ROW_CODE_ROWS,
    Pace,
    Start,
)
from raystream.runtime.pace_start import start_of
from tests.operators.process.subtasks import Total
from tests.runtime.parallel import World

COSTS = st.sampled_from([1e-7, 1e-5, 1e-3, 0.02, 0.3, 5.0])


def worked_off(pace: Pace, now: float, each: float, call: float = 0.0, wait: float = 1.0) -> float:
    """One piece; those behind take `wait` times as long as the work on it."""
    rows = pace.piece
    took = call + rows * each
    pace.worked(rows, now, now + took)
    pace.settled(now + took * wait)
    return now + took * wait


@given(COSTS, st.floats(1, 100))
def test_pieces_and_what_waits_take_as_long_as_they_may_or_one_row(
    each: float, wait: float
) -> None:
    pace, now = Pace(Start(piece=1, ahead=1)), 0.0
    for _ in range(60):
        now = worked_off(pace, now, each, wait=wait)
        assert pace.piece == 1 or pace.piece * each <= PIECE_S * 1.01
        assert pace.ahead == 1 or pace.ahead * each * wait <= AHEAD_S / 2 * 1.01
    assert pace.piece >= min(BATCH_ROWS, PIECE_S / each / 2, 1)
    assert pace.ahead >= min(NO_LIMIT / 2, AHEAD_S / 2 / (each * wait) / 2, 1)


@given(st.lists(COSTS, min_size=1, max_size=6))
@settings(max_examples=12, deadline=None)
def test_it_follows_a_cost_that_changes(costs: list[float]) -> None:
    pace, now = Pace(Start(piece=1, ahead=1)), 0.0
    for each in costs:
        for number in range(1_500):
            assert number < 25 or pace.piece == 1 or pace.piece * each <= PIECE_S * 2
            now = worked_off(pace, now, each)
    assert pace.piece >= min(BATCH_ROWS, PIECE_S / costs[-1] / 4, 1)


@given(st.sampled_from([0.01, 0.2, 2.0]), st.sampled_from([1e-6, 1e-4]))
def test_a_call_that_costs_much_itself_gets_many_rows(call: float, each: float) -> None:
    pace, now = Pace(Start(piece=1, ahead=1, calls=True)), 0.0
    for _ in range(200):
        now = worked_off(pace, now, each, call)
    assert pace.piece * each >= min(PIECE_S, call, BATCH_ROWS * each) / 4
    assert pace.piece * each <= max(3 * PIECE_S, 6 * call)


@pytest.mark.parametrize("keyed", [False, True])
def test_state_of_keys_is_a_cost_of_the_batch_not_of_its_rows(keyed: bool) -> None:
    """Else a loaded machine, where each batch takes long, would get one row at a time for ever."""
    rows = rs.Pipeline("example").read(rs.Rows([{"k": 1}]), schema={"k": "int"})
    made = (
        rows.map(dict, schema={"k": "int"})
        if not keyed
        else rows.key_by("k").process(Total(), schema={"k": "int"})
    )
    made.write(rs.Collect())
    planned = plan(made._pipeline.graph(), 2, {})
    starts = [start_of(planned, chain) for chain in planned.chains]
    assert any(start.whole for start in starts) is keyed
    pace, now = Pace(max(starts, key=lambda start: start.whole)), 0.0
    for _ in range(100):
        now = worked_off(pace, now, 1e-5, 0.3)
    assert pace.piece == ROW_CODE_ROWS


def test_a_batch_function_that_costs_by_the_row_gets_few() -> None:
    pace, now = Pace(Start(piece=1, ahead=1, calls=True)), 0.0
    for number in range(200):
        now = worked_off(pace, now, 0.02)
        assert number < 10 or pace.piece * 0.02 <= 6 * PIECE_S


def mapped(cost: float, parallelism: int, *more: float) -> World:
    """A function of this cost behind an exchange, and further ones behind further exchanges."""

    def build(pipeline: rs.Pipeline, world: World) -> None:
        rows = pipeline.read(rs.Rows([{"n": n} for n in range(20_000)]), name="rows")
        for number, (each, degree) in enumerate(
            [(cost, parallelism), *zip(more, (2, 3), strict=False)]
        ):

            def work(row: dict[str, int], each: float = each) -> dict[str, int]:
                world.work(each)
                return row

            rows = rows.map(work, schema={"n": int}, parallelism=degree, name=f"work{number}")
        rows.write(rs.Collect(), name="out")

    return World(build)


@pytest.mark.parametrize(
    ("costs", "parallelism"),
    [((0.1,), 8), ((0.4,), 4), ((3.0,), 4), ((0.1,), 1), ((1e-6, 0.05), 4), ((0.1, 0.1, 0.1), 4)],
)
def test_barriers_pass_and_a_stop_ends_within_a_second_and_a_row(
    costs: tuple[float, ...], parallelism: int
) -> None:
    world = mapped(costs[0], parallelism, *costs[1:])
    world.run(max(5.0, 6 * max(costs)))
    limit = 1.0 + max(costs)
    taken = [each.duration_s for each in world.checkpoints.values() if each.duration_s is not None]
    assert len(taken) >= 3
    assert max(taken[1:]) <= limit
    assert len(costs) > 1 or min(world.rows("out"), default=3) > 2, "each has its share"
    rows = sum(world.rows("rows" if parallelism == 1 else "out"))
    degrees = (parallelism, 2, 3)[: len(costs)]
    ideal = world.clock.now() / max(c / d for c, d in zip(costs, degrees, strict=True))
    assert rows >= 0.6 * ideal - 8, "nobody who could work waits"
    assert world.stop() <= limit
    outcome = world.runtime.loop.outcome
    assert outcome is not None
    assert (outcome.kind, outcome.rows_in) == ("stopped", outcome.rows_out)
    world.close()


def test_a_fast_batch_function_soon_gets_all_that_a_batch_may_hold(tmp_path: Path) -> None:
    found: list[int] = []

    def work(frame: pl.DataFrame) -> pl.DataFrame:
        found.append(frame.height)
        return frame

    p = rs.Pipeline("sizes", checkpoint_storage=str(tmp_path))
    read = p.read(rs.Rows([{"n": n} for n in range(100_000)]), name="rows")
    read.map_batches(work, schema={"n": int}).write(rs.Collect(), name="out")
    p.run(local=True, until="latest")
    assert max(found) > ROW_CODE_ROWS  # a pause of the machine may have halved it
    assert sum(found) >= 100_000


def test_a_slow_function_in_the_chain_of_the_source_is_given_little(tmp_path: Path) -> None:
    longest = [0.0]

    def work(frame: pl.DataFrame) -> pl.DataFrame:
        time.sleep(0.002 * frame.height)
        longest[0] = max(longest[0], 0.002 * frame.height)
        return frame

    p = rs.Pipeline("sizes", checkpoint_storage=str(tmp_path))
    read = p.read(rs.Rows([{"n": n} for n in range(300)]), name="rows")
    read.map_batches(work, schema={"n": int}).write(rs.Collect(), name="out")
    p.run(local=True, until="latest")
    assert longest[0] <= 6 * PIECE_S


@pytest.mark.parametrize("chain", ["rows", "join"])
def test_a_loaded_machine_does_not_starve_columns_of_rows(chain: str) -> None:
    """The cost of a call, taken for that of its rows, led to a row at a time, for ever."""
    p = rs.Pipeline("pairs")
    rows = p.read(rs.Rows([{"k": 1}]), schema={"k": "int"}, name="rows")
    rows.join(rows, "k", suffix="_b", name="join").write(rs.Collect(), name="out")
    made = p.plan()
    pace = Pace(start_of(made, made.chain(chain)))
    for second in range(20):
        pace.settled(second)
        pace.worked(1, second, second + 1)
    assert pace.piece == pace.ahead == COLUMN_ROWS


def test_a_function_of_rows_may_get_one_row_at_a_time() -> None:
    p = rs.Pipeline("slow")
    rows = p.read(rs.Rows([{"k": 1}]), schema={"k": "int"}, name="rows")
    rows.map(dict, schema={"k": "int"}, name="slow").write(rs.Collect(), name="out")
    made = p.plan()
    pace, now = Pace(start_of(made, made.chains[0])), 0.0
    for _ in range(30):
        now = in_a_function(pace, now, 5.0)
    assert (pace.piece, pace.ahead) == (1, 1)


def in_a_function(pace: Pace, now: float, each: float, call: float = 0.0) -> float:
    """One piece of a function that is called for each row, in a call that takes long itself."""
    rows, spent = pace.piece, pace.piece * each
    pace.worked(rows, now, now + call + spent, spent)
    pace.settled(now + call + spent)
    return now + call + spent


class Loaded:
    """A machine that lets others work at any moment: after `every` seconds on average."""

    def __init__(self, random: Random, every: float, pause: float) -> None:
        self._random, self._every, self._pause = random, every, pause

    def takes(self, work: float) -> float:
        """Wall seconds of so much work."""
        wall, left = work, work - self._random.expovariate(1 / self._every)
        while left > 0:
            wall += self._random.expovariate(1 / self._pause)
            left -= self._random.expovariate(1 / self._every)
        return wall


OF_ROWS = Start(
    1, ROW_CODE_ROWS, 1, least_ahead=COLUMN_ROWS, stages=3, calls=True, least=COLUMN_ROWS
)


def rows_of_user_code(each: float, call: float, machine: Loaded, seconds: float) -> int:
    """Rows that a chain with a function of rows gets through, a source in front of it."""
    pace, now, done = (
        Pace(OF_ROWS),
        0.0,
        0,
    )
    while now < seconds:
        rows = min(pace.piece, pace.ahead)
        functions, rest = machine.takes(rows * each), machine.takes(call + rows * 1e-6)
        pace.worked(rows, now, now + functions + rest, functions)
        now += functions + rest + machine.takes(0.001)
        pace.settled(now)
        done += rows
    return done


@given(
    st.sampled_from([1e-7, 2e-6, 1e-4, 2e-3, 0.02]),
    st.sampled_from([0.001, 0.03, 0.3]),
    st.integers(0, 9999).map(Random),
    st.sampled_from([0.002, 0.02, 0.2]),
    st.sampled_from([0.005, 0.05]),
)
@settings(max_examples=16, deadline=None)
def test_a_loaded_machine_does_not_starve_a_function_of_rows(
    each: float, call: float, random: Random, every: float, pause: float
) -> None:
    """Preemption in a function or in the call must not make its pieces small for ever."""
    machine, slower = Loaded(random, every, pause), 1 + pause / every
    seconds = 60 * slower
    found = rows_of_user_code(each, call, machine, seconds)
    each, call = each * slower, call * slower
    most = min(ROW_CODE_ROWS, max(AHEAD_S / 3, min(call, CALL_S)) / each)
    assert found >= 0.5 * seconds / (each + slower * 1e-6 + (call + slower * 0.001) / most)


@given(st.sampled_from([0.005, 0.02, 0.3, 2.0]), st.sampled_from([0.0, 0.05, 0.4]))
def test_the_first_barrier_waits_for_a_row_or_a_second(each: float, call: float) -> None:
    pace, now = Pace(OF_ROWS), 0.0
    for _ in range(100):
        waits = max(pace.piece, pace.ahead) * each
        assert waits <= max(each, min(call, CALL_S), AHEAD_S / 2)
        now = in_a_function(pace, now, each, call)


def _key(row: dict[str, Any]) -> int:
    return int(row["k"])


def _add(state: int, value: Any) -> int:
    return state + 1


COUNTED = rs.aggregate(int, _add, lambda a, b: a + b, lambda state: state, returns="int")


@pytest.mark.parametrize(
    "verbs",
    [
        lambda rows: rows.key_by(user=_key),
        lambda rows: rows.window(rs.tumbling("1m")).agg(n=COUNTED("k")),
        lambda rows: rows.key_by("k").window(rs.tumbling("1m")).agg(n=COUNTED("k")),
        lambda rows: rows.key_by("k").window(rs.session("1m")).agg(n=COUNTED("k")),
        lambda rows: rows.key_by("k").over(rows=3).agg(n=COUNTED("k")),
        lambda rows: rows.key_by("k").aggregate(n=COUNTED("k")),
        lambda rows: rows.key_by("k").window(rs.count_window(3)).agg(n=COUNTED("k")),
        lambda rows: rows.window(rs.tumbling("1m")).agg(n=rs.sum(_key)),
        lambda rows: rows.filter(lambda row: True),
        lambda rows: rows.with_columns(m=_key),
        lambda rows: rows.inspect(print),
    ],
)
def test_wherever_a_function_is_called_for_rows_the_first_piece_is_one_row(verbs: Any) -> None:
    """A slow one would hold up the first barrier for as long as 500 rows take."""
    p = rs.Pipeline("functions")
    rows = p.read(rs.Rows([{"k": 1, "t": 1}]), schema={"k": "int", "t": "int"}, event_time="t")
    made = verbs(rows)
    changes = made._pipeline.schema(made._edge).changes is not None
    made.write(rs.Files("out"), changes="log" if changes else None)
    planned = p.plan()
    assert min(start_of(planned, chain).piece for chain in planned.chains) == 1
    assert max(start_of(planned, chain).ahead for chain in planned.chains) == 1


@pytest.mark.parametrize("how", ["key", "window", "group"])
def test_the_first_barrier_passes_slow_functions_of_keys_and_aggregates(how: str) -> None:
    """They got 500 rows at once: ten seconds and more."""
    each = 0.02

    def build(pipeline: rs.Pipeline, world: World) -> None:
        def key(row: dict[str, Any]) -> int:
            world.work(each)
            return int(row["n"]) % 3

        def add(state: int, value: int) -> int:
            world.work(each)
            return state + value

        schema, total = {"n": "int", "t": "int"}, rs.aggregate(int, add, add, returns="int")
        numbers = rs.Rows([{"n": n, "t": n} for n in range(20_000)])
        rows = pipeline.read(numbers, schema=schema, event_time="t", name="rows")
        if how == "key":
            made = rows.key_by(k=key).aggregate(total=rs.sum("n"))
        elif how == "window":
            made = rows.key_by("n").window(rs.tumbling("1h")).agg(total=total("t"))
        else:
            made = rows.key_by("n").aggregate(total=total("t"))
        made.write(rs.Collect(), name="out", changes=None if how == "window" else "upsert")

    world = World(build)
    world.run(3.5)
    taken = [one.duration_s for one in world.checkpoints.values() if one.duration_s is not None]
    assert len(taken) >= 2
    assert max(taken) <= 1.0 + each
    world.close()
