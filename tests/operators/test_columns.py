"""filter, select, with_columns, drop, union, key_by, map_batches: what they do, what they say."""

from __future__ import annotations

import sys
from typing import Any

import polars as pl
import pytest

from raystream.data.batch import MESSAGE_KEY, TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError, UserCodeError
from raystream.graph.policies import ErrorPolicy
from raystream.operators.operator import create
from tests.steps import (
    Drop,
    Filter,
    KeyBy,
    MapBatches,
    Read,
    Select,
    Step,
    Union,
    WithColumns,
    Write,
    output_schema,
)

SCHEMA = Schema.of({"ip": "string not null", "status": "int", "price": "float"})
ROWS = pl.DataFrame(
    {"ip": ["a", "b", "c"], "status": [200, 500, None], "price": [1.0, 2.5, 3.0]}
).with_columns(pl.Series(TIME, [1, 2, 3]), pl.Series(MESSAGE_KEY, [b"x", None, b"z"]))


def run(harness: Any, step: Step) -> list[dict[str, Any]]:
    task = harness(step).process(ROWS)
    [batch] = task.emitted[""]
    expected = output_schema(step, [SCHEMA])
    if not expected.open:
        assert dict(batch.user_frame().schema) == dict(expected.columns)
    return task.take(hidden=True)


@pytest.mark.parametrize("condition", ["status >= 500", pl.col("status") >= 500])
def test_filter_keeps_rows_for_which_it_is_true(harness: Any, condition: Any) -> None:
    rows = run(harness, Filter(condition))
    assert rows == [{"ip": "b", "status": 500, "price": 2.5, TIME: 2, MESSAGE_KEY: None}]
    assert harness(Filter("status > 9999")).process(ROWS).take() == []


def test_select_keeps_event_time(harness: Any) -> None:
    rows = run(harness, Select(("price", (pl.col("status") * 2).alias("twice"))))
    assert rows[0] == {"price": 1.0, "twice": 400, TIME: 1, MESSAGE_KEY: b"x"}
    assert run(harness, Select(("ip", "status", "price"))) == ROWS.to_dicts()


def test_select_computes_columns(harness: Any) -> None:
    step = Select(("ip",), computed={"twice": "status * 2", "price": "price", "one": "1"})
    row = run(harness, step)[0]
    assert row == {"ip": "a", "twice": 400, "price": 1.0, "one": 1, TIME: 1, MESSAGE_KEY: b"x"}
    assert list(row)[:4] == ["ip", "twice", "price", "one"]
    assert step.needs({"main": None}, [SCHEMA.names()]) == [{"ip", "status", "price"}]
    assert step.unchanged(["ip", "twice", "price"]) == {"ip", "price"}


def test_select_knows_what_it_computed_anew(harness: Any) -> None:
    anew = Select((pl.col("price"),), computed={"ip": "nullif(ip, 'a')"})
    assert [row["ip"] for row in run(harness, anew)] == [None, "b", "c"]
    assert output_schema(anew, [SCHEMA]).required == frozenset()
    assert output_schema(Select((pl.col("ip"),)), [SCHEMA]).required == {"ip"}
    assert output_schema(Select((), computed={"ip": "ip"}), [SCHEMA.with_key(("ip",))]).key


TOO_MUCH = 2**62


@pytest.mark.parametrize(
    "step",
    [
        Select(("ip", (pl.col("n") * 4).alias("more"))),
        Select(("ip", (pl.col("n").cast(pl.Int8)).alias("more"))),
        Select(("ip",), computed={"more": "n * 4"}),
        Select(("ip",), computed={"more": pl.col("n") * 4}),
    ],
)
def test_a_row_that_select_cannot_compute_goes_by_its_policy(harness: Any, step: Select) -> None:
    """It was 0: what fails in with_columns must fail in select."""
    rows = pl.DataFrame({"ip": ["a", "b"], "n": [1, TOO_MUCH], TIME: [1, 2]})
    skipped = harness(step.but(errors=ErrorPolicy.SKIP)).process(rows)
    assert [row["ip"] for row in skipped.take()] == ["a"]
    with pytest.raises(DataError):
        harness(step).process(rows)


def test_with_columns_adds_and_replaces(harness: Any) -> None:
    step = WithColumns({"status": pl.col("status") + 1, "old": "status", "half": "price / 2.0"})
    rows = run(harness, step)
    assert rows[0] == {
        "ip": "a", "status": 201, "price": 1.0, "old": 200, "half": 0.5, TIME: 1, MESSAGE_KEY: b"x"
    }  # fmt: skip


def test_decimals_of_sql_become_floats(harness: Any) -> None:
    step = WithColumns({"rate": "status * 1.5"})
    assert output_schema(step, [SCHEMA]).columns["rate"] == pl.Float64()
    assert run(harness, step)[0]["rate"] == 300.0


def test_drop(harness: Any) -> None:
    assert run(harness, Drop(("ip", "status")))[0] == {"price": 1.0, TIME: 1, MESSAGE_KEY: b"x"}
    assert output_schema(Drop(("ip",)), [SCHEMA.with_key(("ip",))]).key == ()
    assert output_schema(Drop(("price",)), [SCHEMA.with_key(("ip",))]).key == ("ip",)


def test_union_wants_equal_columns(harness: Any) -> None:
    assert harness(Union()).process(ROWS).take(hidden=True) == ROWS.to_dicts()
    other = Schema(SCHEMA.columns, key=("ip",))
    assert output_schema(Union(), [SCHEMA, other]) == Schema(SCHEMA.columns)
    with pytest.raises(ConfigurationError) as error:
        output_schema(Union(), [Schema.of({"a": "int"}), Schema.of({"a": "string"})])
    assert str(error.value) == (
        "union of different columns: (a Int64) and (a String); no type holds every Int64 and every "
        "String exactly: cast column 'a' with with_columns"
    )


def test_key_by_existing_and_computed_columns(harness: Any) -> None:
    assert run(harness, KeyBy(("ip",))) == ROWS.to_dicts()
    step = KeyBy(("net", "ip"), {"net": pl.col("ip").str.to_uppercase()})
    assert run(harness, step)[0]["net"] == "A"
    assert output_schema(step, [SCHEMA]).key == ("net", "ip")
    bucket = {"bucket": lambda row: len(row["ip"])}
    function = KeyBy(("bucket",), bucket, types={"bucket": pl.Int64()})
    assert [row["bucket"] for row in run(harness, function)] == [1, 1, 1]
    assert output_schema(KeyBy(("bucket",), bucket), [SCHEMA]).open


def test_map_batches_gives_rows_their_times_back(harness: Any) -> None:
    schema = {**SCHEMA.columns, "twice": float}
    step = MapBatches(lambda df: df.with_columns(twice=pl.col("price") * 2), schema=schema)
    rows = run(harness, step)
    assert [(row["twice"], row[TIME]) for row in rows] == [(2.0, 1), (5.0, 2), (6.0, 3)]


def test_map_batches_of_other_height_takes_the_latest_time(harness: Any) -> None:
    step = MapBatches(lambda df: df.select(pl.col("price").sum()), schema={"price": float})
    assert run(harness, step) == [{"price": 6.5, TIME: 3, MESSAGE_KEY: None}]
    nothing = MapBatches(lambda df: df.clear(), schema=SCHEMA)
    assert harness(nothing).process(ROWS).take() == []


def test_map_batches_keeps_its_columns(harness: Any) -> None:
    step = MapBatches(lambda df: df.select("status"), schema={"status": "float"})
    assert [row["status"] for row in run(harness, step)] == [200.0, 500.0, None]
    frames = iter([ROWS.select("ip"), ROWS.select("price")])
    changing = harness(MapBatches(lambda df: next(frames), schema={"ip": str})).process(ROWS)
    with pytest.raises(DataError, match="column 'price' is not in the schema"):
        changing.process(ROWS)


def test_map_batches_tells_the_line_of_the_user(harness: Any) -> None:
    def broken(frame: pl.DataFrame) -> pl.DataFrame:
        raise ValueError("no luck")

    with pytest.raises(UserCodeError) as error:
        harness(MapBatches(broken)).process(ROWS)
    assert error.value.what.startswith("ValueError: no luck, in a batch of ")
    assert error.value.where == f"{__file__}:{broken.__code__.co_firstlineno + 1}"
    with pytest.raises(UserCodeError, match="the function gave int, not a frame"):
        harness(MapBatches(lambda frame: 5)).process(ROWS)


def test_map_batches_says_what_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError) as error:
        output_schema(MapBatches(lambda table: table, "pyarrow"), [SCHEMA])
    assert str(error.value) == (
        "map_batches: batch_format='pyarrow' needs pyarrow; pip install pyarrow"
    )
    with pytest.raises(ConfigurationError, match="no batch_format 'numpy'; write polars, pandas"):
        output_schema(MapBatches(lambda table: table, "numpy"), [SCHEMA])


COLUMNS = "did you mean 'status'? columns: ip, status, price"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Filter("n + statsu > 1"), "no column 'n', at character 1 of \"n + statsu > 1\"; "
         "columns: ip, status, price"),
        (Filter("price > statsu"), "no column 'statsu', at character 9 of \"price > statsu\"; "
         f"{COLUMNS}"),
        (Filter("a b c"), "filter: 'b' is not expected here, at character 3 of \"a b c\""),
        (Filter("status + 1"), "filter: the condition is Int64, not true or false; write a "
         "comparison"),
        (Filter(5), "filter: 5 is not an expression; write SQL text or rs.col(...)"),
        (Select(("statsu",)), f"no column 'statsu'; {COLUMNS}"),
        (Select((pl.col("price").sum(),)), "select: col(\"price\").sum() looks beyond its row: an "
         "aggregate; an expression sees one row at a time; aggregate with window(...).agg(...)"),
        (WithColumns({"x": "statsu"}), f"no column 'statsu'; {COLUMNS}"),
        (Drop(("statsu",)), f"no column 'statsu'; {COLUMNS}"),
        (KeyBy(("statsu",)), f"no column 'statsu'; {COLUMNS}"),
    ],
)  # fmt: skip
def test_mistakes_are_said_before_anything_runs(step: Step, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        output_schema(step, [SCHEMA])
    assert str(error.value) == message


def test_wrong_types_are_said_in_one_line() -> None:
    with pytest.raises(ConfigurationError) as error:
        output_schema(
            WithColumns({"x": pl.col("ip").str.len_chars() + pl.col("ip").dt.year()}), [SCHEMA]
        )
    assert str(error.value).startswith("with_columns: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("step", [Filter("x > 1"), Select(("x",)), Drop(("x",)), Union()])
def test_behind_open_columns_nothing_is_checked(step: Step) -> None:
    assert output_schema(step, [Schema({}, open=True)]).open


def test_read_and_write_are_no_operators() -> None:
    with pytest.raises(TypeError, match="write has no operator"):
        create(Write(None))
    with pytest.raises(TypeError, match="read has no operator"):
        create(Read(None))
