"""Another package adds verbs by entry points, without touching the tree: in Python and in YAML."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parent / "example_package"
PROGRAM = """
import json, sys
import raystream as rs
from raystream.config.load import load
from raystream.config.to_python import to_python
from raystream.testing import CRASH, PAUSE, feed
from raystream_example.steps import Every, Tagged

def pipeline(parallelism):
    p = rs.Pipeline("python")
    a, b = p.read(rs.Rows([]), name="a"), p.read(rs.Rows([]), name="b")
    tagged = a.step(Every(2), name="half").step(Tagged("k"), b, parallelism=parallelism)
    tagged.filter("input < 2").write(rs.Collect(), name="out")
    return p

def rows(*numbers):
    return [{"k": n % 3, "n": n} for n in numbers]

given = {"a": [*rows(1, 2, 3), PAUSE, CRASH, *rows(4, 5, 6)], "b": rows(10, 11)}
found = {
    "one": feed(pipeline(1), given)["out"],
    "two": feed(pipeline(2), given, parallelism=1)["out"],
    "plan": pipeline(2).explain(),
}
loaded = load(sys.argv[1])
found["yaml"] = feed(loaded.pipeline, {"a": rows(1, 2, 3, 4), "b": rows(10)})["out"]
found["as python"] = to_python(loaded.pipeline)
from raystream.config.json_schema import pipeline_schema
found["schema"] = "every" in json.dumps(pipeline_schema())
try:
    load(sys.argv[2])
except Exception as error:
    found["wrong"] = str(error)
print(json.dumps(found))
"""
YAML = """
name: example
sources:
  a: {kafka: {topic: a, connection: cluster}, schema: {k: int, n: int}}
  b: {kafka: {topic: b, connection: cluster}, schema: {k: int, n: int}}
connections: {cluster: {kafka: {bootstrap_servers: "k:9092"}}}
steps:
  - every: {n: 2}
    from: a
    name: half
  - tagged: {by: k, column: side}
    with: b
sinks:
  out: {kafka: {topic: out, connection: cluster}}
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a program says that uses the package."""
    home = tmp_path_factory.mktemp("example")
    (home / "program.py").write_text(PROGRAM)
    (home / "job.yaml").write_text(YAML)
    (home / "wrong.yaml").write_text(YAML.replace("{n: 2}", "{m: 2}").replace("with: b", "with: c"))
    path = os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    program = [sys.executable, "program.py", "job.yaml", "wrong.yaml"]
    done = subprocess.run(
        program,
        check=False,
        cwd=home,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def numbers(rows: list[dict[str, Any]], column: str = "input") -> list[tuple[int, int]]:
    return sorted((row[column], row["n"]) for row in rows)


def test_rows_of_each_input_come_with_its_number(found: dict[str, Any]) -> None:
    assert numbers(found["one"]) == [(0, 2), (0, 4), (0, 6), (1, 10), (1, 11)]
    assert numbers(found["two"]) == numbers(found["one"])


def test_rows_meet_by_key(found: dict[str, Any]) -> None:
    assert found["plan"].count("hash(k)") == 2
    assert "every 2th row" in found["plan"]


def test_a_file_says_the_same(found: dict[str, Any]) -> None:
    assert numbers(found["yaml"], "side") == [(0, 2), (0, 4), (1, 10)]
    assert '.step(raystream_example.steps.Every(n=2), name="half")' in found["as python"]
    assert "import raystream_example.steps" in found["as python"]
    assert found["schema"]


def test_mistakes_are_told_with_their_line(found: dict[str, Any]) -> None:
    assert "wrong.yaml:8:" in found["wrong"]
    assert "unknown field 'm'; one of n" in found["wrong"]
    assert "there is no step or source 'c'" in found["wrong"]
