"""Every column has one type, known before anything runs; what does not fit goes by the policy."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.rows import to_frame
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, JobFailed
from raystream.testing import CRASH, PAUSE, feed

Row = dict[str, Any]
SCHEMA = {"kind": "string", "id": "int", "ts": "int"}


def counted(p: rs.Pipeline, rows: Any) -> None:
    keyed = rows.key_by("id").window(rs.tumbling("1m")).agg(n=rs.count())
    keyed.write(rs.Collect(), name="out")


def test_a_function_that_gives_two_types_gives_one_owner() -> None:
    for width in (1, 2, 4):
        p = rs.Pipeline("job")
        source = rs.Rows([], partitions=2)
        rows = p.read(source, schema=SCHEMA, event_time="ts", name="in").map(
            lambda row: {"id": row["id"] if row["kind"] == "old" else float(row["id"])}
        )
        counted(p, rows)
        given_rows = [{"kind": "old" if n % 2 else "new", "id": n % 7, "ts": n} for n in range(100)]
        written = feed(p, {"in": given_rows}, parallelism=width)["out"]
        assert {row["id"]: row["n"] for row in written} == Counter(n % 7 for n in range(100))
        assert len(written) == 7
        assert all(type(row["id"]) is float for row in written)


def test_what_comes_later_with_another_type_is_an_error_with_its_reason() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema=SCHEMA, event_time="ts", name="in").map(
        lambda row: {"id": row["id"] if row["id"] < 300 else float(row["id"])}, errors="dlq"
    )
    rows.errors.write(rs.Collect(), name="dead")
    counted(p, rows)
    given_rows = [{"kind": "x", "id": n, "ts": n} for n in range(301)]
    written = feed(p, {"in": given_rows})
    (dead,) = written["dead"]
    assert dead["reason"] == "a row of the function does not fit: column 'id': 300.0 is not Int64"
    assert sum(row["n"] for row in written["out"]) == 300


def test_keys_of_a_function_have_one_type() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema=SCHEMA, event_time="ts", name="in").key_by(
        k=lambda row: None if row["id"] < 50 else (row["id"] if row["id"] < 290 else "late"),
        errors="dlq",
    )
    rows.errors.write(rs.Collect(), name="dead")
    rows.window(rs.tumbling("1m")).agg(n=rs.count()).write(rs.Collect(), name="out")
    written = feed(p, {"in": [{"kind": "x", "id": n, "ts": n} for n in range(300)]}, parallelism=4)
    assert {row["reason"] for row in written["dead"]} == {"key 'k': 'late' is not Int64"}
    assert len(written["dead"]) == 10
    assert {row["k"]: row["n"] for row in written["out"]} == {
        None: 50,
        **dict.fromkeys(range(50, 290), 1),
    }


def test_none_for_every_row_must_be_declared() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema=SCHEMA, event_time="ts", name="in")
    rows.key_by(k=lambda row: None).write(rs.Collect(), name="out")
    with pytest.raises(ConfigurationError) as error:
        feed(p, {"in": [{"kind": "x", "id": 1, "ts": 1}]})
    assert "column 'k' was null in every row" in str(error.value)
    assert "def key(row) -> str" in str(error.value)


def test_an_annotation_declares_the_key() -> None:
    def key(row: Row) -> str:
        return None if row["id"] < 3 else "b"  # type: ignore[return-value]

    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema=SCHEMA, event_time="ts", name="in")
    rows.key_by(k=key).window(rs.tumbling("1m")).agg(n=rs.count()).write(rs.Collect(), name="out")
    written = feed(p, {"in": [{"kind": "x", "id": n, "ts": 1} for n in range(5)]}, parallelism=2)
    assert {row["k"]: row["n"] for row in written["out"]} == {None: 3, "b": 2}


def test_a_column_that_is_passed_on_keeps_its_type_where_it_is_always_null() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema={**SCHEMA, "x": float}, event_time="ts", name="in")
    rows.map(lambda row: {**row, "y": 1}).write(rs.Collect(), name="out")
    feed(p, {"in": [{"kind": "x", "id": 1, "ts": 1, "x": None}]})
    p2 = rs.Pipeline("job2")
    rows = p2.read(rs.Rows([]), schema={**SCHEMA, "x": float}, event_time="ts", name="in")
    rows.map(lambda row: {"z": row["x"]}).write(rs.Collect(), name="out")
    items = [{"kind": "x", "id": 1, "ts": 1, "x": x} for x in [*[None] * 150, 0.5]]
    assert feed(p2, {"in": items})["out"][-1] == {"z": 0.5}  # told by a row made from the schema


def test_union_of_functions_with_different_types_is_refused_before_it_runs() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema=SCHEMA, event_time="ts", name="in")
    one = rows.map(lambda row: {"id": row["id"]}, name="one")
    other = rows.map(lambda row: {"id": str(row["id"])}, name="other")
    one.union(other).write(rs.Collect(), name="out")
    with pytest.raises(ConfigurationError, match="union of different columns"):
        feed(p, {"in": [{"kind": "x", "id": 1, "ts": 1}]})


KEYS: dict[str, list[Any]] = {
    "float": [0.0, -0.0, 1.5, float("nan"), float("-inf"), None, 2.0**53],
    "int": [0, 1, -1, None, 2**63 - 1, -(2**63)],
    "bool": [True, False, None],
    "string": ["é", "e\u0301", "", "a", None, "\U0001f600", "1"],
    "binary": [b"", b"\x00", b"a", None],
}


def same(value: Any) -> Any:
    """What makes two keys one: NaN is NaN, -0.0 is 0.0, text is its code points."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value + 0.0
    return value


@pytest.mark.parametrize("kind", list(KEYS))
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_keys_meet_as_in_plain_python(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.sampled_from(KEYS[kind]), min_size=1, max_size=30))
    cut = data.draw(st.integers(0, len(values)))
    width = data.draw(st.sampled_from([1, 2, 4]))
    by_function = data.draw(st.booleans())
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema={"k": kind, "ts": "int"}, event_time="ts", name="in")
    keyed = rows.key_by(key_of(kind)) if by_function else rows.key_by("k")
    keyed.window(rs.tumbling("1m")).agg(n=rs.count()).write(rs.Collect(), name="out")
    items: list[Any] = [{"k": value, "ts": 1} for value in values]
    items[cut:cut] = [PAUSE, CRASH]
    written = feed(p, {"in": items}, parallelism=width)["out"]
    name = "key" if by_function else "k"
    assert Counter(
        {same(k): n for k, n in total(written, name).items()}
    ) == Counter(map(same, values))  # fmt: skip


def key_of(kind: str) -> Any:
    types = {"float": float, "int": int, "bool": bool, "string": str, "binary": bytes}

    def key(row: Row) -> Any:
        return row["k"]

    key.__annotations__["return"] = types[kind]
    return key


def total(written: list[Row], name: str) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for row in written:
        found[same(row[name])] += row["n"]
    return found


def test_floats_that_are_not_exact_do_not_fit() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema=SCHEMA, event_time="ts", name="in").map(
        lambda row: {"x": row["id"]}, schema={"x": float}, errors="dlq"
    )
    rows.write(rs.Collect(), name="out")
    rows.errors.write(rs.Collect(), name="dead")
    ids = [1, 2**53, 2**53 + 1, 2**60]
    written = feed(p, {"in": [{"kind": "x", "id": n, "ts": 1} for n in ids]})
    assert [row["x"] for row in written["out"]] == [1.0, 2.0**53, 2.0**60]
    assert len(written["dead"]) == 1


@pytest.mark.parametrize(
    ("declared", "value", "fits"),
    [
        ("int", True, False),
        ("float", True, False),
        ("int", 3.0, False),
        ("string", 1, False),
        ("date", dt.datetime(2024, 5, 1, 1, tzinfo=dt.UTC), False),
        ("date", dt.date(2024, 5, 1), True),
        (list[float], [1, 2**53 + 1], False),
        (list[int], [1, True], False),
        (list[int], [1, None], True),
    ],
)
def test_no_value_changes(declared: Any, value: Any, fits: bool) -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema=SCHEMA, event_time="ts", name="in")
    rows.map(lambda row: {"x": value}, schema={"x": declared}).write(rs.Collect(), name="out")
    given_rows = {"in": [{"kind": "x", "id": 1, "ts": 1}]}
    if fits:
        assert feed(p, given_rows)["out"] == [{"x": value}]
    else:
        with pytest.raises(JobFailed, match="does not fit: column 'x'"):
            feed(p, given_rows)


def test_a_date_is_the_midnight_of_a_column_without_zone() -> None:
    day, noon = dt.date(2024, 5, 1), dt.datetime(2024, 5, 1, 12)  # noqa: DTZ001 - without zone
    schema = Schema({"x": pl.Datetime("us"), "l": pl.List(pl.Datetime("us"))})
    fitted = to_frame([{"x": noon, "l": [noon, day]}, {"x": day, "l": [day]}], schema)
    midnight = dt.datetime(2024, 5, 1)  # noqa: DTZ001
    assert not fitted.misfits
    assert fitted.frame.to_dicts() == [
        {"x": noon, "l": [noon, midnight]},
        {"x": midnight, "l": [midnight]},
    ]
    assert to_frame([{"x": day}], Schema({"x": pl.Datetime("us", "UTC")})).misfits


def test_a_key_that_is_none_for_the_first_rows_has_the_type_of_the_later_ones() -> None:
    for width in (1, 2, 4):
        p = rs.Pipeline("job")
        rows = p.read(rs.Rows([]), schema=SCHEMA, event_time="ts", name="in")
        keyed = rows.key_by(k=lambda row: None if row["ts"] < 500 else row["id"])
        keyed.window(rs.tumbling("1m")).agg(n=rs.count()).write(rs.Collect(), name="out")
        given_rows = [{"kind": "x", "id": n % 3, "ts": n} for n in range(800)]
        written = feed(p, {"in": given_rows}, parallelism=width)["out"]
        assert total(written, "k") == {None: 500, 0: 100, 1: 100, 2: 100}
