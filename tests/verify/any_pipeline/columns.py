"""Verbs that look at one row after another."""

from __future__ import annotations

from typing import Any

import polars as pl

from tests.verify.any_pipeline.part import Part

NUMBERS = (pl.Int64, pl.Float64)


def condition(part: Part) -> str:
    """SQL over any column."""
    name, kind = part.choice(list(part.schema.columns.items()))
    of_type = {
        pl.Int64: (f"{name} > 0", f"{name} % 2 = 0", f"not ({name} >= 1)", f"{name} in (0, 1, 5)"),
        pl.Float64: (f"{name} > 0.5", f"{name} <= 0"),
        pl.String: (f"{name} = 'a'", f"{name} <> 'b'", f"{name} like '%a%'"),
        pl.Boolean: (name, f"not {name}"),
        pl.Date: (f"{name} > date '2000-01-01'",),
    }.get(type(kind), ())
    found: str = part.choice([*of_type, f"{name} is null", f"{name} is not null"])
    return found


def filter_(part: Part) -> Part:
    text = condition(part)
    return part.then(f"filter {text}", part.stream.filter(text))


def with_columns(part: Part) -> Part:
    name, kind = part.choice(list(part.schema.columns.items()))
    of_type = {
        pl.Int64: (
            f"coalesce({name}, 3) % 1000 + 1",
            f"{name} * 0.5",
            f"case when {name} > 0 then 'p' end",
        ),
        pl.String: (f"upper({name})", f"coalesce({name}, 'z')", f"length({name})"),
        pl.Float64: (f"{name} + 1", f"{name} > 1"),
        pl.Boolean: (f"not {name}", f"case when {name} then 1 else 0 end"),
        pl.Date: (f"year({name})", f"monthname({name})", f"cast({name} as timestamp)"),
        pl.Datetime: (f"hour({name})", f"cast({name} as date)", f"cast({name} as varchar)"),
        pl.Time: (f"cast({name} as varchar)", f"{name} > time '12:00:00'"),
        pl.Decimal: (f"{name} * 2", f"round({name}, 1)", f"{name} / 3", f"cast({name} as int)"),
        pl.Duration: (f"{name} > interval '1 day'",),
        pl.List: (f"cardinality({name})", f"{name}[0]"),
    }.get(type(kind), ())
    new = part.making.new("w")
    text = part.choice([*of_type, name, f"{name} is null"])
    return part.then(f"with {new} = {text}", part.stream.with_columns(**{new: text}))


def select(part: Part) -> Part:
    names = part.schema.names()
    chosen = part.making.chance.sample(names, part.making.chance.randint(1, len(names)))
    return part.then(f"select {chosen}", part.stream.select(*chosen))


def drop(part: Part) -> Part:
    names = part.schema.names()
    name = part.choice(names if len(names) > 1 else ())
    return part.then(f"drop {name}", part.stream.drop(name))


def rename(part: Part) -> Part:
    name, new = part.choice(part.schema.names()), part.making.new("r")
    return part.then(f"rename {name} to {new}", part.stream.rename(**{name: new}))


def map_(part: Part) -> Part:
    name, new = part.any_of(pl.Int64, pl.String, pl.Boolean, pl.Date), part.making.new("m")

    def add(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, new: None if row[name] is None else str(row[name])[:2]}

    types = {**part.schema.columns, new: "string"}
    return part.then(f"map {new} of {name}", part.stream.map(add, schema=types))


def flat_map(part: Part) -> Part:
    part.append_only()
    new = part.making.new("z")

    def twice(row: dict[str, Any]) -> list[dict[str, Any]]:
        return [{**row, new: number} for number in range(2)]

    types = {**part.schema.columns, new: "int"}
    stream = part.stream.flat_map(twice, schema=types)
    return part.then(f"flat_map {new}", stream, ordered=False)


def filter_rows(part: Part) -> Part:
    part.append_only()
    name = part.choice(part.schema.names())
    return part.then(f"filter_rows {name}", part.stream.filter(lambda row: row[name] is not None))


def map_batches(part: Part) -> Part:
    part.append_only()
    new = part.making.new("b")

    def add(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.lit(1, dtype=pl.Int64).alias(new))

    types = {**part.schema.columns, new: "int"}
    return part.then(f"map_batches {new}", part.stream.map_batches(add, schema=types))


def union(part: Part) -> Part:
    part.append_only()
    one, other = condition(part), condition(part)
    stream = part.stream.filter(one).union(part.stream.filter(other))
    return part.then(f"union of {one} and {other}", stream, ordered=False)


def split(part: Part) -> Part:
    text = condition(part)
    part.append_only()
    return part.then(f"split {text}", part.stream.split(one=text).tagged("one"))


ALL = (filter_, with_columns, select, drop, rename, map_, flat_map, filter_rows, map_batches, union)
ALL = (*ALL, filter_, split)
