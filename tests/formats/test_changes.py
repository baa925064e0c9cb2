"""Envelopes of Debezium, and logs of changes, as rows with what they do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.connectors.base import ReadOptions
from raystream.connectors.columns import record_decoder
from raystream.data.batch import TIME
from raystream.data.changes import CHANGE, ReadChanges
from raystream.data.schema import Schema
from raystream.formats.debezium import row_schema
from raystream.formats.json import Json

SCHEMA = Schema.of({"id": "int", "name": "string not null"})
SETS, GONE = 2, 3


def decoded(*records: Any, changes: ReadChanges = ReadChanges.DEBEZIUM) -> Any:
    payloads = [r if r is None or isinstance(r, bytes) else json.dumps(r).encode() for r in records]
    options = ReadOptions(SCHEMA, changes=changes, key=("id",))
    return record_decoder(Json(), options, SCHEMA).decode(payloads)


def envelope(op: str, before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    return {"before": before, "after": after, "op": op, "ts_ms": 7, "source": {"lsn": 1}, **more}


@pytest.mark.parametrize("wrapped", [False, True])
def test_each_operation(wrapped: bool) -> None:
    one, two = {"id": 1, "name": "a"}, {"id": 1, "name": "b"}
    records = [
        envelope("r", None, one),
        envelope("c", None, two),
        envelope("u", None, one),
        envelope("u", one, two),
        envelope("d", {"id": 1}),
        envelope("d", two, None),
    ]
    if wrapped:
        records = [{"schema": {"type": "struct", "fields": []}, "payload": r} for r in records]
    found = decoded(*records, None)
    assert found.rejected == ()
    assert found.frame.select("id", "name", CHANGE, TIME).rows() == [
        (1, "a", SETS, 7),
        (1, "b", SETS, 7),
        (1, "a", SETS, 7),
        (1, "b", SETS, 7),
        (1, None, GONE, 7),
        (1, "b", GONE, 7),
        (None, None, None, None),
    ]


def test_what_is_no_envelope_is_rejected_with_the_reason_and_the_rest_is_kept() -> None:
    found = decoded(
        envelope("u", {"id": 1}),
        b"not JSON",
        envelope("t"),
        envelope("c", None, {"id": 1, "name": "a"}),
        envelope("c", None, {"id": None, "name": "a"}),
        {"id": 1, "name": "plain row"},
        envelope("c", None, {"id": 2}),
        envelope("d", {"name": "a"}),
        b"\xff\xfe",
        envelope("d"),
    )
    assert found.frame["id"].to_list() == [1]
    reasons = {row.index: row.reason for row in found.rejected}
    assert sorted(reasons) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert "op 'u' without the row 'after'" in reasons[0]
    assert "not" in reasons[1] or "malformed" in reasons[1]
    assert "op 't' is unknown; there are c (create)" in reasons[2]
    assert "`id`" in reasons[4]
    assert "it has no op" in reasons[5]
    assert "missing required field `name`" in reasons[6]
    assert "missing required field `id`" in reasons[7]
    assert "op 'd' without the row 'before'" in reasons[9]


def test_columns_are_learnt_from_the_rows_of_envelopes() -> None:
    for wrap in (lambda r: r, lambda r: {"schema": {}, "payload": r}):
        records = [wrap(envelope("d", {"id": 1, "old": 2})), wrap(envelope("c", None, {"id": 1}))]
        learnt = Json().infer([json.dumps(record).encode() for record in records])
        assert learnt is not None
        rows = row_schema(learnt)
        assert rows is not None
        assert sorted(rows.columns) == ["id", "old"]
    assert row_schema(Schema.of({"op": "string"})) is None


def test_a_table_by_envelopes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    rows = [envelope("c", None, {"id": n, "name": "a"}) for n in range(3)]
    rows += [envelope("u", None, {"id": 1, "name": "b"}), envelope("d", {"id": 2})]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    p = rs.Pipeline("users")
    table = p.read(rs.Files(path), changes="debezium", key="id")
    assert table.collect().filter(op="delete").rows() == [("delete", 2, "a")]
    out = rs.Collect()
    table.key_by("name").aggregate(n=rs.count()).write(out, changes="upsert")
    p.run(until="latest", local=True, checkpoint_storage=str(tmp_path / "state"))
    assert sorted(map(str, out.rows())) == ["{'name': 'a', 'n': 1}", "{'name': 'b', 'n': 1}"]


def test_a_log_without_a_key_is_read_back_row_by_row(tmp_path: Path) -> None:
    def bids(p: rs.Pipeline) -> Any:
        rows = [{"k": "a", "n": n, "ts": n} for n in (5, 3, 9, 9, 1, 7)]
        return p.read(rs.Rows(rows), event_time="ts", name="bids").key_by("k").top(3, by="n")

    p = rs.Pipeline("top")
    bids(p).write(rs.Files(tmp_path / "log"), changes="log")
    p.run(until="latest", local=True, checkpoint_storage=str(tmp_path / "state"))
    back, out = rs.Pipeline("back"), rs.Collect()
    schema = {"k": "string", "n": "int", "ts": "int"}
    log = back.read(rs.Files(tmp_path / "log"), changes="log", schema=schema, event_time="ts")
    log.key_by("k").aggregate(n=rs.count(), total=rs.sum("n")).write(out, changes="upsert")
    back.run(until="latest", local=True, checkpoint_storage=str(tmp_path / "state2"))
    assert out.rows() == [{"k": "a", "n": 3, "total": 25}]


def test_a_word_that_is_no_kind_is_rejected() -> None:
    records = [
        {"op": "insert", "id": 1, "name": "a"},
        {"op": "upsert", "id": 1, "name": "a"},
        {"op": "update_before", "id": 1, "name": "a"},
        {"id": 1, "name": "a"},
        {"op": "delete", "id": 1, "name": "a"},
    ]
    found = decoded(*records, changes=ReadChanges.LOG)
    assert found.frame[CHANGE].to_list() == [0, None, GONE]
    first, second = found.rejected
    assert (first.index, second.index) == (1, 3)
    assert "op 'upsert' is unknown; there are insert, update_before" in first.reason
    assert "op" in second.reason
