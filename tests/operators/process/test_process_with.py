"""process_with against plain Python: two keyed streams, broadcast state, errors, restarts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import TIME, Batch
from raystream.data.hashing import partition
from raystream.errors import ConfigurationError, RaystreamError
from raystream.graph.policies import ErrorPolicy
from raystream.operators.process_with.operator import ProcessWith
from raystream.testing import CRASH, feed
from raystream.time.watermark import END_OF_TIME
from raystream.verify.process import PlainProcess
from tests import steps
from tests.operators.process.subtasks import Subtasks

OUT = {"k": "int", "side": "string", "text": "string"}


class Both(rs.Process):
    """Both streams see one state, and each other's timers."""

    n: rs.Value[int]
    seen: rs.List[str]

    def on_left(self, row: dict[str, Any], ctx: rs.Context) -> Iterator[dict[str, Any]]:
        return self.row("left", row["x"], ctx)

    def on_right(self, row: dict[str, Any], ctx: rs.Context) -> Iterator[dict[str, Any]]:
        return self.row("right", -row["y"], ctx)

    def row(self, side: str, x: int, ctx: rs.Context) -> Iterator[dict[str, Any]]:
        self.n.set(self.n.get(0) + x)
        self.seen.append(f"{side}{x}")
        if x % 3 == 0:
            ctx.timer(ctx.time + abs(x))
        if x % 5 == 4:
            raise ValueError("a bad row")
        yield {"k": ctx.key, "side": side, "text": f"{self.n.get()} {self.seen.get()}"}

    def on_timer(self, at: int, ctx: rs.Context) -> Iterator[dict[str, Any]]:
        yield {"k": ctx.key, "side": "timer", "text": f"{at} {self.n.get()}"}
        self.seen.clear()


class Rules(rs.Process):
    """Rows are compared with rules that every subtask knows."""

    limits: rs.Map[str, list[int]] = rs.state(broadcast=True)
    short: rs.Map[int, int] = rs.state(broadcast=True, ttl="6ms")
    n: rs.Value[int]

    def on_left(self, row: dict[str, Any], ctx: rs.Context) -> Iterator[dict[str, Any]]:
        self.n.set(self.n.get(0) + 1)
        if row["x"] % 3 == 0:
            ctx.timer(ctx.time + row["x"])
        yield {"k": ctx.key, "side": f"{self.n.get()}", "text": self.shown()}

    def on_right(self, row: dict[str, Any], ctx: rs.Context) -> None:
        name = "abc"[row["y"] % 3]
        if row["y"] < 0:
            self.limits.pop(name, None)
        else:
            self.limits[name] = [*self.limits.get(name, []), row["y"]][-3:]
        self.short[row["y"] % 4] = self.short.get(row["y"] % 4, 0) + len(self.short)
        if row["y"] % 7 == 1:
            self.short.pop(row["y"] % 3, None)
        if row["y"] % 5 == 4:
            raise ValueError("a bad rule")

    def on_timer(self, at: int, ctx: rs.Context) -> Iterator[dict[str, Any]]:
        yield {"k": ctx.key, "side": f"{at}", "text": self.shown()}

    def shown(self) -> str:
        return repr((sorted(self.limits.items()), sorted(self.short.items()), len(self.short)))


class TwoInputs(Subtasks):
    def opened(self, index: int) -> ProcessWith:
        return self.opened_as(ProcessWith, index)

    def take(self, port: int, frame: pl.DataFrame) -> None:
        keys = self.step.routing(port)
        if not keys:
            for operator in self.operators:
                operator.process(Batch(frame), port)
            return
        for operator, share in zip(
            self.operators, partition(frame, list(keys), self.width), strict=True
        ):
            if share is not None:
                operator.process(Batch(share), port)


LEFT = {"k": pl.Int32(), "x": pl.Int64(), TIME: pl.Int64()}
RIGHT = {"id": pl.Int64(), "y": pl.Int64(), TIME: pl.Int64()}
ROWS = st.lists(
    st.tuples(st.sampled_from([1, -2, 3, None]), st.integers(-9, 9), st.integers(0, 40)), max_size=6
)
BATCH = st.tuples(
    st.integers(0, 1), ROWS, st.sampled_from([0, 0, 1, 2, 3]), st.sampled_from([0, 0, 3, 9])
)


@settings(max_examples=10, deadline=None)
@given(st.lists(BATCH, max_size=6), st.booleans(), st.booleans())
def test_it_gives_what_plain_python_gives_whatever_happens_between(
    batches: list[Any], broadcast: bool, known: bool
) -> None:
    process: rs.Process = Rules() if broadcast else Both()
    types = {"k": pl.Int32() if broadcast else pl.Int64()}
    others = () if broadcast else ("id",)
    step = steps.ProcessWith(
        process,
        ("k",),
        OUT,
        {},
        ErrorPolicy.SKIP,
        types if known or not broadcast else None,
        others=others,
        broadcast=broadcast,
    )
    subtasks, watermark = TwoInputs(step, 2), 0
    plain = PlainProcess(Rules() if broadcast else Both(), ("k",), skips=True)
    for port, rows, restart, advance in batches:
        schema = RIGHT if port else LEFT
        subtasks.take(port, pl.DataFrame(rows, schema=schema, orient="row"))
        for row in rows:
            named = dict(zip(schema, row, strict=True))
            if port:
                plain.right(named, row[-1], others)
            else:
                plain.left(named, row[-1])
        if restart:
            subtasks.restart(restart)
        if advance:
            watermark += advance
            subtasks.watermark(watermark)
            plain.advance(watermark)
    subtasks.watermark(END_OF_TIME)
    plain.end()
    for key in (1, -2, 3, None):
        assert of_key(subtasks.output.rows, key) == of_key(plain.made, key)


def of_key(made: list[tuple[str, dict[str, Any], int]], key: int | None) -> list[Any]:
    return [(row, time) for tag, row, time in made if not tag and row["k"] == key]


# -- the whole job ---------------------------------------------------------------------------------


class Flagged(rs.Process):
    limits: rs.Map[str, int] = rs.state(broadcast=True)
    waiting: rs.List[int]

    def on_left(self, row: dict[str, Any], ctx: rs.Context) -> None:
        self.waiting.append(row["n"])
        ctx.timer(1_000)

    def on_right(self, row: dict[str, Any], ctx: rs.Context) -> None:
        self.limits[row["shop"]] = row["limit"]

    def on_timer(self, at: int, ctx: rs.Context) -> Iterator[dict[str, Any]]:
        over = [n for n in self.waiting if n > self.limits.get(ctx.key, 0)]
        yield {"shop": ctx.key, "over": len(over), "rules": len(self.limits)}


@pytest.mark.parametrize("parallelism", [1, 3])
def test_broadcast_rows_reach_every_subtask_and_failures_are_told_once(parallelism: int) -> None:
    p = rs.Pipeline("flagged")
    kafka = rs.Kafka("kafka:9092")
    columns = {"shop": "string", "n": "int", "ts": "int"}
    orders = p.read(kafka.topic("orders"), event_time="ts", schema=columns).key_by("shop")
    columns = {"shop": "string", "limit": "int", "ts": "int"}
    rules = p.read(kafka.topic("rules"), event_time="ts", schema=columns)
    flagged = orders.process_with(
        rules,
        Flagged(),
        broadcast=True,
        schema={"shop": "string", "over": "int", "rules": "int"},
        errors="dlq",
    )
    flagged.write(rs.Collect(), name="flagged")
    flagged.errors.write(rs.Collect(), name="dead")
    given: list[Any] = [{"shop": "abc"[i % 3], "n": i, "ts": i} for i in range(30)]
    rows: list[Any] = [
        {"shop": s, "limit": n, "ts": 5} for s, n in zip("abc", (9, 15, 21), strict=1)
    ]
    bad = {"shop": "d", "limit": None, "ts": 6}
    given.insert(20, CRASH)
    found = feed(p, {"orders": given, "rules": [*rows[:2], bad, rows[2]]}, parallelism=parallelism)
    over = {s: sum(i > n for i in range(30) if "abc"[i % 3] == s) for s, n in (("a", 9), ("b", 15))}
    assert {row["shop"]: row["over"] for row in found["flagged"]} == {
        **over,
        "c": sum(i > 21 for i in range(2, 30, 3)),
    }
    assert {row["rules"] for row in found["flagged"]} == {3}
    assert len(found["dead"]) == 1


@pytest.mark.parametrize("parallelism", [1, 3])
def test_two_keyed_streams_meet_with_crashes(parallelism: int) -> None:
    p = rs.Pipeline("paid")
    kafka = rs.Kafka("kafka:9092")
    orders = p.read(
        kafka.topic("orders"), event_time="ts", schema={"id": "int", "x": "int", "ts": "int"}
    )
    payments = p.read(
        kafka.topic("paid"), event_time="ts", schema={"order": "int", "y": "int", "ts": "int"}
    )

    class Open(rs.Process):
        left: rs.Value[int]

        def on_left(self, row: dict[str, Any], ctx: rs.Context) -> None:
            self.left.set(self.left.get(0) + row["x"])
            ctx.timer(500)

        def on_right(self, row: dict[str, Any], ctx: rs.Context) -> None:
            self.left.set(self.left.get(0) - row["y"])

        def on_timer(self, at: int, ctx: rs.Context) -> dict[str, Any]:
            return {"id": ctx.key, "left": self.left.get()}

    paid = orders.key_by("id").process_with(
        payments.key_by("order"), Open(), schema={"id": "int", "left": "int"}
    )
    paid.write(rs.Collect(), name="open")
    left: list[Any] = [{"id": i % 7, "x": i, "ts": i} for i in range(40)]
    right: list[Any] = [{"order": i % 7, "y": 2 * i, "ts": i} for i in range(40)]
    left.insert(25, CRASH)
    right.insert(10, CRASH)
    found = feed(p, {"orders": left, "paid": right}, parallelism=parallelism)
    assert sorted((row["id"], row["left"]) for row in found["open"]) == [
        (k, -sum(range(k, 40, 7))) for k in range(7)
    ]


# -- mistakes --------------------------------------------------------------------------------------


class Writes(rs.Process):
    limits: rs.Map[str, int] = rs.state(broadcast=True)
    n: rs.Value[int]

    def on_left(self, row: dict[str, Any], ctx: rs.Context) -> None:
        self.limits["a"] = 1

    def on_right(self, row: dict[str, Any], ctx: rs.Context) -> Any:
        match row["y"]:
            case 1:
                return ctx.key
            case 2:
                return ctx.timer(5)
            case 3:
                return self.n.get()
            case 4:
                return {"k": 1}
            case 5:
                return ctx.emit("a", {})
        return self.limits.update({"a": "b"})


@pytest.mark.parametrize(
    ("port", "y", "reason"),
    [
        (0, 0, "written only in on_right"),
        (1, 1, "belongs to no key"),
        (1, 2, "belongs to no key"),
        (1, 3, "belongs to no key"),
        (1, 4, "emits nothing"),
        (1, 5, "emits nothing"),
        (1, 6, "state 'limits'"),
    ],
)
def test_what_a_broadcast_row_may_not_do_is_told(port: int, y: int, reason: str) -> None:
    step = steps.ProcessWith(Writes(), ("k",), OUT, {"a": {"k": "int"}}, broadcast=True)
    frame = pl.DataFrame({"k": [1], "x": [1], "y": [y], TIME: [1]})
    with pytest.raises(RaystreamError, match=reason):
        TwoInputs(step, 1).take(port, frame)


def streams() -> tuple[Any, Any]:
    p = rs.Pipeline("example")
    mine = p.read(rs.Rows([{"k": 1}]), name="mine", schema={"k": "int"})
    return mine, p.read(rs.Rows([{"id": "a"}]), name="theirs", schema={"id": "string"})


def test_mistakes_are_told_with_advice() -> None:
    mine, theirs = streams()
    keyed, columns = mine.key_by("k"), {"k": "int"}
    other = theirs.key_by("id")
    for call, text in [
        (lambda: mine.process_with(other, Both(), schema=columns), "needs a key"),
        (lambda: keyed.process_with(theirs, Both(), schema=columns), "has no key"),
        (lambda: keyed.process_with(other, Both), r"write Both\(\)"),
        (lambda: keyed.process_with(other, rs.Process()), "has no on_left"),
        (lambda: keyed.process_with(other, Both()), "columns of the rows"),
        (lambda: keyed.process_with(other, Rules(), schema=OUT), "write .process_with.*broadcast"),
        (lambda: keyed.process(Rules(), schema=OUT), "is broadcast, but no stream is"),
        (lambda: keyed.process_with(theirs, Both(), broadcast=True, schema=OUT), "no broadcast st"),
        (lambda: keyed.process_with(other, Both(), schema=OUT), "cannot be equal"),
        (lambda: rs.state(broadcast=True, ttl="1h", by="clock"), "no ttl by the clock"),
    ]:
        with pytest.raises(ConfigurationError, match=text):
            call()


def test_broadcast_state_is_a_map() -> None:
    class Wrong(Both):
        rule: rs.Value[int] = rs.state(broadcast=True)

    mine, theirs = streams()
    with pytest.raises(ConfigurationError, match="broadcast state is a Map, not a Value"):
        mine.key_by("k").process_with(theirs, Wrong(), broadcast=True, schema=OUT)
