"""Sources whose records change rows, in a pipeline file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raystream.config.load import Loading, load
from raystream.config.to_python import to_python

LOADING = Loading(environment={})


def test_a_compacted_topic_is_read_as_a_table(tmp_path: Path) -> None:
    text = """
version: 1
name: users
source:
  kafka: {bootstrap_servers: kafka:9092, topic: users, key_format: json}
  schema: {id: int, town: string}
  changes: upsert
  key: id
  errors: {policy: dlq, to: bad}
steps:
  - filter: town is not null
    name: known
sinks:
  out: {from: known, kafka: {bootstrap_servers: kafka:9092, topic: known}, changes: upsert}
  bad: {kafka: {bootstrap_servers: kafka:9092, topic: bad}}
"""
    path = tmp_path / "job.yaml"
    path.write_text(text)
    pipeline = load(str(path), LOADING).pipeline
    read, table, *_ = (node.step for node in pipeline.graph().nodes)
    assert (read.changed, read.keys, table.keys) == ("upsert", ("id",), ("id",))
    python = to_python(pipeline)
    assert 'changes="upsert",\n    key=["id"]' in python
    assert 'key_format="json"' in python
    space: dict[str, Any] = {"__name__": "job"}
    exec(python, space)
    again = [node.step.word for node in space["p"].graph().nodes]
    assert sorted(again) == sorted(node.step.word for node in pipeline.graph().nodes)
