"""Rows that change rows, through the verbs that take them, and to sinks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.connectors.base import WriteOptions
from raystream.connectors.kafka.outgoing import to_messages
from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.change_rows import as_upserts
from raystream.data.changes import CHANGE, Changes, RowKind
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError
from raystream.formats.json import Json
from raystream.graph.policies import ErrorPolicy
from raystream.ids import SubtaskId
from raystream.operators.operator import create
from raystream.operators.step import Step
from raystream.time.clock import VirtualClock
from tests import steps

CTX = SubtaskContext(
    "job", "0" * 8, 1, "s", SubtaskId("s", 0), 1, VirtualClock(), ThreadPoolExecutor(1)
)
GONE = (RowKind.UPDATE_BEFORE, RowKind.DELETE)
COLUMNS = Schema({"k": pl.String(), "n": pl.Int64()}, key=("k",), changes=Changes(("k",)))
KINDS = {"k": pl.String(), "n": pl.Int64(), CHANGE: pl.Int8(), TIME: pl.Int64()}


History = list[list[tuple[str, int | None]]]


class Passing:
    """Steps one after the other, and what comes out."""

    def __init__(self, *chain: Step) -> None:
        self.batches: list[pl.DataFrame] = []
        self.dead = 0
        self.counted: Counter[str] = Counter()
        schema, self.operators = COLUMNS, []
        for step in chain:
            (run,) = step.expand((schema,), {"errors"})
            schema = step.outputs((schema,))["main"]
            self.operators.append(create(run))
        self.schema = schema
        for operator, output in zip(self.operators, [*self.operators[1:], None], strict=True):
            operator.open(CTX, _Next(self, output))

    def process(self, frame: pl.DataFrame) -> None:
        self.operators[0].process(Batch(frame))

    def left(self) -> Counter[tuple[Any, ...]]:
        """The rows that are there at the end."""
        there: Counter[tuple[Any, ...]] = Counter()
        for frame in self.batches:
            kinds = frame[CHANGE].to_list()
            for row, kind in zip(frame.select(self.schema.names()).rows(), kinds, strict=True):
                there[row] += -1 if kind in GONE else 1
                assert there[row] >= 0, "only rows that are there are taken back"
        return +there

    def table(self) -> dict[Any, tuple[Any, ...]]:
        """What an upsert by the key of the stream gives."""
        found: dict[Any, tuple[Any, ...]] = {}
        key = list(self.schema.key)
        for frame in self.batches:
            upserts = as_upserts(frame, key)
            for row, kind in zip(upserts.to_dicts(), upserts[CHANGE], strict=True):
                if kind == RowKind.DELETE:
                    found.pop(tuple(row[name] for name in key), None)
                else:
                    values = tuple(row[name] for name in self.schema.names())
                    found[tuple(row[name] for name in key)] = values
        return found


class _Next:
    def __init__(self, passing: Passing, operator: Any) -> None:
        self._passing, self._operator = passing, operator

    def emit(self, batch: Batch, tag: str = "") -> None:
        if tag == "errors":
            self._passing.dead += len(batch)
        elif self._operator is None:
            self._passing.batches.append(batch.frame)
        else:
            self._operator.process(batch)

    def consumed(self, tag: str) -> bool:
        return True


def changing(
    history: History,
) -> tuple[list[pl.DataFrame], dict[str, int]]:
    """Batches of changes to a table k -> n (null: delete), and the table at the end."""
    table: dict[str, int] = {}
    batches = []
    for batch in history:
        rows: list[tuple[str, int, int, int]] = []
        for k, n in batch:
            old = table.pop(k, None)
            if n is not None:
                table[k] = n
            if old is not None:
                rows.append((k, old, RowKind.DELETE if n is None else RowKind.UPDATE_BEFORE, 0))
            if n is not None:
                rows.append((k, n, RowKind.INSERT if old is None else RowKind.UPDATE_AFTER, 0))
        batches.append(pl.DataFrame(rows, schema=KINDS, orient="row"))
    return batches, table


def odd(row: dict[str, Any]) -> bool:
    return bool(row["n"] % 2)


def third(row: dict[str, Any]) -> dict[str, Any]:
    if row["n"] == 3:
        raise ValueError("three")
    return {"k": row["k"], "n": row["n"] // 3}


DLQ = ErrorPolicy.DLQ
Row = tuple[str, int]
HISTORY = st.lists(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 5))), max_size=6
    ),
    max_size=6,
)
CASES: list[tuple[list[Step], Callable[[Row], Any], bool]] = [
    ([steps.Filter("n > 2")], lambda row: row if row[1] > 2 else None, True),
    ([steps.FilterRows(odd)], lambda row: row if row[1] % 2 else None, True),
    (
        [steps.WithColumns({"m": "12 // n"}, DLQ)],
        lambda row: (*row, 12 // row[1]) if row[1] else None,
        True,
    ),
    (
        [steps.Map(third, {"k": "string", "n": "int"}, errors=DLQ)],
        lambda row: (row[0], row[1] // 3) if row[1] != 3 else None,
        False,
    ),
    ([steps.KeyBy(("n", "k"))], lambda row: row, True),
    ([steps.KeyBy(("m", "k"), {"m": "n % 2"})], lambda row: (*row, row[1] % 2), True),
    ([steps.Rename({"k": "name"}), steps.Filter("n > 2")], lambda r: r if r[1] > 2 else None, True),
    ([steps.Select(("n",))], lambda row: (row[1],), False),
    (
        [steps.KeyBy(("n",)), steps.Filter("k != 'a'"), steps.Drop(("k",))],
        lambda row: (row[1],) if row[0] != "a" else None,
        False,
    ),
]


@pytest.mark.parametrize(("chain", "expected", "identified"), CASES)
@settings(max_examples=6)
@given(history=HISTORY)
def test_changes_pass_a_verb_as_its_rows_would(
    chain: list[Step],
    expected: Callable[[Row], Any],
    identified: bool,
    history: History,
) -> None:
    passing = Passing(*chain)
    batches, table = changing(history)
    for frame in batches:
        if frame.height:
            passing.process(frame)
    right = [made for row in table.items() if (made := expected(row)) is not None]
    assert passing.left() == Counter(right)
    assert passing.schema.changes is not None
    assert (passing.schema.changes.by is not None) == identified
    if identified and set(passing.schema.changes.by or ()) <= set(passing.schema.key):
        assert sorted(passing.table().values()) == sorted(right)


def test_a_half_that_is_left_alone_is_a_delete_or_an_insert() -> None:
    passing = Passing(steps.Filter("n != 2"))
    for frame in changing([[("a", 1), ("a", 2), ("a", 3)], [("a", 4)]])[0]:
        passing.process(frame)
    kinds = [RowKind(kind).name for frame in passing.batches for kind in frame[CHANGE]]
    assert kinds == ["INSERT", "DELETE", "INSERT", "UPDATE_BEFORE", "UPDATE_AFTER"]


def test_a_new_key_parts_an_update_whose_halves_differ_in_it() -> None:
    passing = Passing(steps.KeyBy(("n",)))
    for frame in changing([[("a", 1), ("a", 2), ("a", 2)]])[0]:
        passing.process(frame)
    kinds = [RowKind(kind).name for frame in passing.batches for kind in frame[CHANGE]]
    assert kinds == ["INSERT", "DELETE", "INSERT", "UPDATE_BEFORE", "UPDATE_AFTER"]


def test_a_row_that_cannot_be_computed_is_a_dead_letter_once() -> None:
    passing = Passing(steps.WithColumns({"m": "12 // n"}, DLQ))
    for frame in changing([[("a", 0)], [("a", 1)], [("a", 0)], [("a", None)]])[0]:
        passing.process(frame)
    assert passing.dead == 2
    assert not passing.left()


def messages(frame: pl.DataFrame) -> list[tuple[Any, Any]]:
    made = to_messages(Json(), WriteOptions(COLUMNS, upserts=True), None, None)(frame)
    assert made.keys is not None
    return list(zip(made.keys, made.values, strict=True))


def test_a_delete_is_a_tombstone() -> None:
    ((inserted,), deleted) = changing([[("a", 1)]])[0], changing([[("a", 1)], [("a", None)]])[0][1]
    assert messages(as_upserts(inserted, ["k"])) == [("a", b'{"k":"a","n":1}')]
    assert messages(as_upserts(deleted, ["k"])) == [("a", None)]


def test_an_upsert_without_a_key_stops_the_job() -> None:
    frame = pl.DataFrame([(None, 1, 0, 0)], schema=KINDS, orient="row")
    with pytest.raises(DataError, match="the key of a row is null"):
        messages(as_upserts(frame, ["k"]))


def test_files_take_the_log(tmp_path: Path) -> None:
    p = rs.Pipeline("log", checkpoint_storage=str(tmp_path / "state"))
    rows = p.read(rs.Rows([{"k": "a", "n": 1}, {"k": "a", "n": 2}]))
    rows.key_by("k").aggregate(n=rs.sum("n")).write(rs.Files(str(tmp_path / "out")), changes="log")
    p.run(until="latest", local=True)
    (found,) = (tmp_path / "out").glob("*.json*")
    assert found.read_text() == '{"op":"insert","k":"a","n":3}\n'


def counted() -> rs.KeyedStream:
    rows = rs.Pipeline("refused").read(rs.Rows([]), schema={"k": "string", "n": "int"})
    return rows.key_by("k").aggregate(n=rs.count())


TOPIC = rs.Kafka("kafka:9092").topic("t")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda s: s.write(TOPIC),
            'kafka topic t takes rows that are only added.*changes="upsert"',
        ),
        (lambda s: s.write(rs.Files("x")), 'files .*x takes .* write changes="log"'),
        (lambda s: s.write(rs.Files("x"), changes="upsert"), "files .*x cannot replace rows"),
        (lambda s: s.write(TOPIC, changes="all"), "changes 'all' is unknown.*upsert, log"),
        (
            lambda s: s.select("n").write(TOPIC, changes="upsert"),
            "no columns identify the rows any more; keep the key",
        ),
        (
            lambda s: s.key_by("n").write(TOPIC, changes="upsert"),
            "upsert. by n: rows are identified by k, n",
        ),
        (
            lambda s: s.rename(n="op").write(TOPIC, changes="log"),
            "writes a column 'op', and the rows have one already; give theirs another name",
        ),
        (lambda s: s.window(rs.tumbling("1m")).agg(m=rs.count()), "window_aggregate takes rows"),
        (lambda s: s.dedupe("k"), "dedupe takes rows that are only added"),
        (lambda s: s.flat_map(list, schema={"n": "int"}), "flat_map takes rows that are only"),
        (lambda s: s.aggregate(m=1), r"aggregate\(m=\) takes an aggregate, not 1"),
        (lambda s: s.aggregate(k=rs.count()), "the output has a column 'k' already"),
    ],
)
def test_what_cannot_be_is_refused_at_the_users_line(
    build: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"(?s)test_changes.py:.*{message}"):
        build(counted())


def test_rows_that_are_only_added_are_no_changes() -> None:
    rows = rs.Pipeline("added").read(rs.Rows([]), schema={"k": "string"})
    with pytest.raises(ConfigurationError, match="rows are only added.*leave changes= out"):
        rows.write(rs.Collect(), changes="upsert")


def test_a_schema_of_changes_is_kept_with_the_checkpoint() -> None:
    assert Schema.from_json(COLUMNS.to_json()).changes == Changes(("k",))
    assert Schema.from_json({"columns": [], "required": [], "key": []}).changes is None
