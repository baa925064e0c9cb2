"""Aggregates of the user against plain Python: parts, order, restarts, rows taken back."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.config.load import Loading, load
from raystream.config.place import InvalidFile
from raystream.config.to_python import to_python
from raystream.data.batch import TIME
from raystream.data.changes import CHANGE, RowKind
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, JobFailed, UserCodeError
from raystream.operators.window.encoded import decoded, encoded
from raystream.verify.evaluate import evaluate
from tests import steps
from tests.operators.test_aggregates import Window
from tests.operators.test_group_aggregate import Subtasks, plain


def words(kept: Counter[str], word: str) -> Counter[str]:
    kept[word] += 1
    return kept


def most(kept: Counter[str]) -> str | None:
    return min(kept, key=lambda word: (-kept[word], word), default=None)


MODE = rs.aggregate(Counter, words, lambda a, b: a + b, most, returns="string", name="mode")
WEIGHTED = rs.aggregate(
    lambda: (0, 0),
    lambda kept, x, w: (kept[0] + x * w, kept[1] + w),
    lambda a, b: (a[0] + b[0], a[1] + b[1]),
    lambda kept: kept[0] / kept[1] if kept[1] else None,
    returns=float,
)
ROWS = rs.aggregate(list, lambda kept, row: sorted([*kept, row["n"] or 0]),
                    lambda a, b: sorted(a + b), returns=list[int])  # fmt: skip
SPREAD = rs.aggregate_columns(
    {"low": rs.col("x").min(), "high": rs.col("x").max(), "w": rs.col("y").sum()},
    {"low": rs.col("low").min(), "high": rs.col("high").max(), "w": rs.col("w").sum()},
    rs.col("high") - rs.col("low") + rs.col("w"),
)
ASKED = {
    "mode": MODE("s", where="n > 0"),
    "weighted": WEIGHTED("n", "n + 1"),
    "rows": ROWS(),
    "spread": SPREAD("n", "n * 2"),
    "some": SPREAD("n", "n", where="s = 'a'"),
    "n": rs.count(),
}
SCHEMA = {"k": pl.Int64(), "n": pl.Int64(), "s": pl.String(), TIME: pl.Int64()}
ROW = st.tuples(
    st.just(1),
    st.none() | st.integers(-2, 4),
    st.none() | st.sampled_from(["a", "b", "c"]),
    st.integers(0, 3),
)
BATCHES = st.lists(st.lists(ROW, min_size=1, max_size=5), min_size=1, max_size=3)


def expected(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    known = [n for _, n, _, _ in rows if n is not None]
    counted = Counter(s for _, n, s, _ in rows if s is not None and n is not None and n > 0)
    weight = sum(n + 1 for n in known)
    some = [n for _, n, s, _ in rows if n is not None and s == "a"]
    return {
        "mode": most(counted),
        "weighted": sum(n * (n + 1) for n in known) / weight if weight else None,
        "rows": sorted(n or 0 for _, n, _, _ in rows),
        "spread": max(known) - min(known) + 2 * sum(known) if known else None,
        "some": max(some) - min(some) + sum(some) if some else None,
        "n": len(rows),
    }


def frame_of(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@settings(max_examples=5, deadline=None)
@given(BATCHES, st.randoms(use_true_random=False), st.sampled_from(["none", "same", "rescale"]))
def test_windows(harness: Any, batches: list[list[Any]], random: Any, restarts: str) -> None:
    given_ = [frame_of(rows) for rows in batches]
    random.shuffle(given_)
    window = Window(harness, ASKED, given_[0])
    for frame in given_:
        window.rows(frame)
        if restarts != "none":
            window.restart(rescaled=restarts == "rescale")
    [row] = window.close()
    assert {n: row[n] for n in ASKED} == expected([row for rows in batches for row in rows])


@settings(max_examples=4, deadline=None)
@given(BATCHES, st.sampled_from([1, 2]), st.booleans(), st.data())
def test_without_window_and_with_rows_taken_back(
    batches: list[list[Any]], width: int, takes_back: bool, data: Any
) -> None:
    columns = Schema({n: t for n, t in SCHEMA.items() if n != TIME})
    step = steps.GroupAggregate(("k",), ASKED, columns=columns, takes_back=takes_back)
    subtasks, left = Subtasks(step), []
    for rows in batches:
        frame = frame_of(rows)
        gone = data.draw(st.sets(st.sampled_from(range(len(rows))))) if takes_back else set()
        for kind, part in ((RowKind.INSERT, frame), (RowKind.DELETE, frame[sorted(gone)])):
            changed = part.with_columns(pl.lit(int(kind), pl.Int8()).alias(CHANGE))
            if part.height:
                subtasks.process(changed if takes_back else part)
        left += [row for number, row in enumerate(rows) if number not in gone]
        subtasks.restart(width)
    found = [
        dict(zip(subtasks.output.columns, row, strict=False)) for row in subtasks.output.rows()
    ]
    right = {"k": 1, **expected(left)} if left else {}
    assert found == ([{n: plain(value) for n, value in right.items()}] if left else [])


def test_sessions_and_the_verifier_find_the_same() -> None:
    rows = [{"k": "ab"[n % 2], "n": n % 4, "s": "xyz"[n % 3], "ts": n * n} for n in range(12)]
    p = rs.Pipeline("same")
    keyed = p.read(rs.Rows(rows), event_time="ts", name="rows").key_by("k")
    keyed.window(rs.session("20ms")).agg(ASKED).write(rs.Collect())
    (right,) = evaluate(p.graph(), {"rows": rows}).values()
    fresh = rs.Pipeline("found").read(rs.Rows(rows), event_time="ts").key_by("k")
    found = fresh.window(rs.session("20ms")).agg(ASKED).collect().to_dicts()
    assert sorted(found, key=str) == sorted(right, key=str)
    assert len(found) > 2


def test_having_stands_behind() -> None:
    rows = rs.Pipeline("having").read(rs.Rows([{"s": "a"}, {"s": "b"}, {"s": "a"}]))
    counted = rows.window(rs.tumbling("1d")).agg(mode=MODE("s")).filter("mode = 'a'")
    assert counted.collect()["mode"].to_list() == ["a"]


def check(kept: int, n: int) -> int:
    if n < 0:
        raise ValueError(n)  # the user's line
    return kept + n


CHECKED = rs.aggregate(int, check, lambda a, b: a + b, returns="int", name="checked")
LINE = check.__code__.co_firstlineno + 2


@pytest.mark.parametrize("policy", ["fail", "skip", "dlq"])
def test_a_row_that_cannot_be_added_goes_by_the_policy(policy: str) -> None:
    rows = rs.Pipeline("bad").read(rs.Rows([{"n": 1}, {"n": -1}, {"n": 2}]))
    for made in (
        rows.window(rs.tumbling("1d"), errors=policy).agg(total=CHECKED("n"), n=rs.count()),
        rows.window(rs.session("1d"), errors=policy).agg(total=CHECKED("n"), n=rs.count()),
        rows.aggregate(total=CHECKED("n"), n=rs.count(), errors=policy),
    ):
        if policy == "fail":
            with pytest.raises(JobFailed, match=f"{LINE}: ValueError: -1"):
                made.collect()
        else:
            assert made.collect().select("total", "n").rows()[-1] == (3, 2)


def test_a_result_that_cannot_be_given_goes_by_the_policy() -> None:
    ratio = rs.aggregate(
        int, lambda a, n: a + n, lambda a, b: a + b, lambda a: 1 / a, returns=float
    )
    text = rs.aggregate(int, lambda a, n: a + n, lambda a, b: a + b, str, returns="int")
    window, given_ = rs.tumbling("1d"), [{"k": "a", "n": 0}, {"k": "b", "n": 2}]
    for asked, message in ((ratio, "a: ZeroDivisionError"), (text, "a: '0' is not Int64")):
        rows = rs.Pipeline("bad").read(rs.Rows(given_)).key_by("k")
        with pytest.raises(JobFailed, match=message):
            rows.window(window).agg(a=asked("n")).collect()
    rows = rs.Pipeline("good").read(rs.Rows(given_)).key_by("k")
    found = rows.window(window, errors="skip").agg(a=ratio("n")).collect()
    assert found.select("k", "a").rows() == [("b", 0.5)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rs.aggregate(int, max, max), "aggregate: the type of its result is not known"),
        (lambda: rs.aggregate_columns({"a": rs.col("x").sum()}, {}, rs.col("a")),
         "partial has a, merge"),
        (lambda: rs.aggregate_columns({"a": "x"}, {"a": "x"}, rs.col("a")),
         "a is not a Polars expression"),
        (lambda: SPREAD("n"), r"aggregate_columns takes 2 values \(x, y\), not 1"),
        (lambda: rs.aggregate_columns({"a": pl.len()}, {"a": rs.col("a").sum()}, rs.col("a")),
         "partial reads no column"),
    ],
)  # fmt: skip
def test_what_is_no_aggregate_is_refused_where_it_is_written(call: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        call()


def test_partials_that_change_their_type_are_refused() -> None:
    mean = rs.aggregate_columns(
        {"a": rs.col("x").sum()}, {"a": rs.col("a").mean()}, rs.col("a"), name="mean_of"
    )
    rows = rs.Pipeline("types").read(rs.Rows([{"n": 1}]))
    with pytest.raises(ConfigurationError, match="mean_of merges a Int64 to a Float64"):
        rows.window(rs.tumbling("1d")).agg(a=mean("n")).collect()


def test_what_is_added_up_is_made_of_plain_values() -> None:
    value = (1, 2.5, float("inf"), {"a": [Decimal("1.50"), None]}, {3}, Counter("ab"), 2**70, b"x")
    again = decoded(encoded(value))
    assert (again, list(map(type, again))) == (value, list(map(type, value)))
    keeps = rs.aggregate(Path, lambda kept, n: kept, lambda a, b: a, str, returns=str)
    rows = rs.Pipeline("kept").read(rs.Rows([{"n": 1}]))
    with pytest.raises(UserCodeError, match="holds a PosixPath; keep numbers, text"):
        rows.window(rs.tumbling("1d")).agg(a=keeps("n")).collect()


def test_a_pipeline_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "mine_of_file.py").write_text(
        "import raystream as rs\n"
        "product = rs.aggregate(lambda: 1, lambda a, n: a * n, lambda a, b: a * b, returns='int')\n"
    )
    (tmp_path / "in.jsonl").write_text('{"n": 2}\n{"n": 1}\n{"n": 3}\n')
    text = (
        f"name: job\nsource:\n  files: {{path: {tmp_path}/in.jsonl, format: json}}\n"
        "  schema: {n: int}\n"
        "steps: [{window: {tumbling: 1m}, name: w, aggregate: {p: 'MODULE(n where n > 1)'}}]\n"
        f"sink: {{files: {{path: {tmp_path}/out, format: json}}}}\n"
    )
    file = tmp_path / "job.yaml"
    file.write_text(text.replace("MODULE", "mine_of_file:product"))
    pipeline = load(str(file), Loading()).pipeline
    (node,) = (n for n in pipeline.graph().nodes if n.step.word == "window_aggregate")
    assert node.step.aggregates["p"].words() == "aggregate(n) where n > 1"
    assert 'agg(p=mine_of_file.product("n", where="n > 1"))' in to_python(pipeline)
    file.write_text(text.replace("MODULE", "mine_of_file:produkt"))
    with pytest.raises(InvalidFile, match="mine_of_file:produkt is no aggregate; did you mean"):
        load(str(file), Loading())
