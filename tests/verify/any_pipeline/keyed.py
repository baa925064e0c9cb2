"""Verbs that keep state: windows, aggregates, joins, and what is first or last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

import raystream as rs
from tests.verify.any_pipeline.columns import condition
from tests.verify.any_pipeline.part import DoesNotFit, Part

PRODUCT = rs.aggregate(
    lambda: 1, lambda so_far, n: so_far * (n or 3) % 9973, lambda a, b: a * b % 9973, returns="int"
)
BOUNDS = ("window_start", "window_end")


def aggregates(part: Part) -> dict[str, Any]:
    """One to three of any kind."""
    found = {}
    for _ in range(part.choice([1, 1, 2, 3])):
        where = condition(part) if part.making.chance.random() < 1 / 3 else None
        found[part.making.new("a")] = aggregate(part, where)
    return found


def aggregate(part: Part, where: str | None) -> Any:
    """One aggregate, and what it is of."""
    numbers = part.of(pl.Int64, pl.Float64)
    flat = [n for n, kind in part.schema.columns.items() if kind not in (pl.List, pl.Struct)]
    kinds: list[tuple[Callable[..., Any], list[str]]] = [
        (rs.count, flat),
        *((kind, numbers) for kind in (rs.sum, rs.mean, rs.variance)),
        *((kind, flat) for kind in (rs.min, rs.max, rs.count_distinct)),
    ]
    if part.ordered:
        kinds += [(kind, flat) for kind in (rs.first, rs.last, collect)]
        kinds += [(latest, flat)] if "at" in part.schema.columns else []
    kind, names = part.choice(kinds)
    name = part.choice([None, *names] if kind is rs.count else names)
    part.making.written.append(f"  {getattr(kind, '__name__', kind)}({name}) where {where}")
    return kind(where=where) if name is None else kind(name, where=where)


def collect(name: str, where: str | None) -> Any:
    return rs.collect(name, limit=4, where=where)


def latest(name: str, where: str | None) -> Any:
    return rs.arg_max("at", name, where=where)


def window(part: Part, kind: Any, **options: Any) -> Part:
    part.by_time()
    part.without(*BOUNDS)
    keys = part.choice([[], part.keys(), part.keys(), part.keys()])
    stream = part.stream.key_by(*keys) if keys else part.stream
    made = stream.window(kind, **options).agg(**aggregates(part))
    return part.then(f"{kind} by {keys} {options}", made, ordered=False)


def windows(part: Part) -> Part:
    minute = rs.tumbling(part.choice(["5s", "1m"]))
    hops, steps = rs.hopping("20s", "5s"), rs.cumulative("1m", "10s")
    return window(part, part.choice([minute, minute, hops, steps, rs.session("9s")]))


def updates(part: Part) -> Part:
    return window(part, part.choice([rs.tumbling("5s"), rs.hopping("20s", "5s")]), emit="on_update")


def window_apply(part: Part) -> Part:
    part.by_time()
    part.without(*BOUNDS)
    keys, name, new = part.keys(), part.any_of(pl.Int64), part.making.new("p")

    def total(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select((pl.col(name) % 1000).sum().cast(pl.Int64).alias(new))

    kind = part.choice([rs.tumbling("20s"), rs.hopping("20s", "10s"), rs.session("9s")])
    made = part.stream.key_by(*keys).window(kind).apply(total, schema={new: "int"})
    return part.then(f"apply {kind} by {keys}", made, ordered=False)


def global_window(part: Part) -> Part:
    part.certain()
    part.without(*BOUNDS)
    keys, never = part.keys(), rs.global_window(rs.trigger(count=10**9))
    made = part.stream.key_by(*keys).window(never).agg(**aggregates(part))
    found = part.then(f"global window by {keys}", made, ordered=False)
    return replace(found, timely=False)


def largest(one: dict[str, Any], next_: dict[str, Any]) -> dict[str, Any]:
    return max(one, next_, key=lambda row: row["id"])


def window_rows(part: Part) -> Part:
    part.by_time()
    part.without(*BOUNDS)
    part.certain()
    part.with_id()
    keys = part.keys()
    kind = part.choice([rs.tumbling("20s"), rs.hopping("20s", "10s"), rs.session("9s")])
    rows = part.stream.key_by(*keys).window(kind)
    if part.making.chance.random() < 1 / 2:
        return part.then(f"reduce in {kind} by {keys}", rows.reduce(largest), ordered=False)
    made = rows.top(2, by="id asc", rank=part.making.new("t"))
    return part.then(f"top in {kind} by {keys}", made, ordered=False)


def distinct_rows(part: Part) -> Part:
    part.certain()
    keys = part.keys()
    return part.then(f"drop_duplicates {keys}", part.stream.drop_duplicates(*keys))


def group(part: Part) -> Part:
    keys = part.keys()
    if part.changes:
        part.ordered = False
    made = part.stream.key_by(*keys).aggregate(**aggregates(part))
    return part.then(f"aggregate by {keys}", made, ordered=False)


def over(part: Part) -> Part:
    part.by_time()
    part.certain()
    keys, frame = part.keys(), part.choice([{"rows": 3}, {"range": "10s"}, {}])
    name = part.any_of(pl.Int64, pl.Float64)
    kind = part.choice([rs.sum, rs.max, rs.mean, rs.count])
    made = part.stream.key_by(*keys).over(**frame).agg(**{part.making.new("v"): kind(name)})
    return part.then(f"{kind.__name__}({name}) over {frame} by {keys}", made)


def numbering(part: Part) -> Part:
    """Numbers of rows, and values of earlier ones."""
    part.by_time()
    part.certain()
    keys, name = part.keys(), part.choice(part.schema.names())
    number, before = part.making.new("v"), part.making.new("v")
    asked = {number: rs.row_number(), before: rs.lag(name, part.choice([1, 1, 3]))}
    made = part.stream.key_by(*keys).over().agg(**asked)
    return part.then(f"numbers and lag({name}) by {keys}", made)


class Counting(rs.Process):
    """Number of each row in its key, in whatever order they come."""

    rows: rs.Value[int]

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> dict[str, Any]:
        self.rows.set((self.rows.get() or 0) + 1)
        return {"counted": self.rows.get()}


def process(part: Part) -> Part:
    part.append_only()
    part.without("counted")
    keys = part.keys()
    made = part.stream.key_by(*keys).process(Counting(), schema={"counted": "int"})
    found = part.then(f"process by {keys}", made, ordered=False)
    return replace(found, timely=False)  # which row has which number depends on their arrival


def event_time(part: Part) -> Part:
    """Again the one of the source, with a watermark of its own."""
    part.by_time()
    if "at" not in part.of(pl.Int64) or not part.ordered:
        raise DoesNotFit
    later = rs.Watermark(out_of_orderness="1h", max_future=None)
    return part.then("with_event_time at", part.stream.with_event_time("at", watermark=later))


def dedupe(part: Part) -> Part:
    part.certain()
    keys, keep = part.keys(), part.choice(["first", "last"])
    return part.then(f"dedupe {keys} {keep}", part.stream.dedupe(*keys, keep=keep))


def top(part: Part) -> Part:
    part.certain()
    part.with_id()
    keys = part.keys()
    return part.then(f"top 2 by {keys}", part.stream.key_by(*keys).top(2, by="id"))


def key_function(part: Part) -> Part:
    part.append_only()
    name, new = part.any_of(pl.Int64, pl.String), part.making.new("k")

    def first(row: dict[str, Any]) -> str | None:
        return None if row[name] is None else str(row[name])[:1]

    made = part.stream.key_by(**{new: first}).aggregate(**aggregates(part))
    return part.then(f"aggregate by a function of {name}", made, ordered=False)


def user_aggregate(part: Part) -> Part:
    part.by_time()
    part.without(*BOUNDS)
    keys, name = part.keys(), part.any_of(pl.Int64)
    made = (
        part.stream.key_by(*keys)
        .window(rs.tumbling("20s"))
        .agg(**{part.making.new("u"): PRODUCT(name)})
    )
    return part.then(f"product of {name} by {keys}", made, ordered=False)


def other(part: Part) -> tuple[str, Part]:
    """A key that both have, and another source whose other columns have new names."""
    key = part.choice([name for name in ("k", "g") if name in part.schema.columns])
    right = part.making.source()
    if right.schema.columns[key] != part.schema.columns[key]:
        raise DoesNotFit
    names = [n for n in right.schema.names() if n != key and part.making.chance.random() < 1 / 3]
    stream = right.stream.select(key, *names)
    if names:
        stream = stream.rename(**{name: part.making.new("o") for name in names})
    return key, right.then(f"  select {key} {names}", stream)


def interval_join(part: Part) -> Part:
    part.by_time()
    return join(part, within=("-4s", "3s"))


def window_join(part: Part) -> Part:
    part.by_time()
    part.without(*BOUNDS)
    return join(part, window=rs.tumbling("5s"))


def join(part: Part, **options: Any) -> Part:
    key, right = other(part)
    how = part.choice(["inner", "left", "right", "full", "semi", "anti"])
    stream = part.stream.join(right.stream, key, how=how, **options)
    return part.then(f"{how} join on {key} {options}", stream, ordered=False)


def asof_join(part: Part) -> Part:
    part.by_time()
    key, right = other(part)
    how = part.choice(["inner", "left"])
    return part.then(f"{how} asof on {key}", part.stream.asof_join(right.stream, key, how=how))


def lookup(part: Part) -> Part:
    part.append_only()
    key, right = other(part)
    how = part.choice(["inner", "left", "semi", "anti"])
    stream = part.stream.lookup(right.stream, key, how=how)
    return part.then(f"{how} lookup on {key}", stream, ordered=False)


ALL = (windows, windows, updates, window_apply, global_window, group, group, over, dedupe, top)
ALL = (
    *ALL,
    numbering,
    process,
    event_time,
    window_rows,
    distinct_rows,
    key_function,
    user_aggregate,
    interval_join,
    window_join,
    join,
    asof_join,
    lookup,
)
