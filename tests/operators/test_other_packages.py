"""Another package adds verbs, sources, sinks and formats by entry points: in Python and YAML."""

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
schema = json.dumps(pipeline_schema())
found["schema"] = [word in schema for word in ("every", "countdown", "sqlite", "pairs")]
try:
    load(sys.argv[2])
except Exception as error:
    found["wrong"] = str(error)
print(json.dumps(found))
"""
ENDS = """
import json, sqlite3, sys
import raystream as rs
from raystream.config.load import load
from raystream.config.to_python import to_python
from raystream_example.countdown import Countdown
from raystream_example.sqlite import Sqlite

def rows(path):
    with sqlite3.connect(path) as database:
        return sorted(value for (value,) in database.execute("select value from rows"))

p = rs.Pipeline("ends", checkpoint_storage="state", checkpoint_interval="50ms")
p.read(Countdown(2000, splits=2)).write(Sqlite("python.db"), name="out", parallelism=2)
found = {"run": p.run(until="latest", local=True).kind, "rows": rows("python.db")}
found |= {"again": p.run(until="latest", local=True).kind, "rows again": rows("python.db")}
payloads = rs.Payloads([b"n=1;k=a", b"n=x;k=b", b"n=3;k=c"], format="pairs")
read = rs.Pipeline("pairs").read(payloads, schema={"n": "int", "k": "string"}, errors="skip")
found["pairs"] = read.collect().rows()
load("ends.yaml").pipeline.run(until="latest", local=True)
found["yaml"] = rows("yaml.db")
files = [load(name).pipeline for name in ("ends.yaml", "formats.yaml")]
found["as python"] = "".join(to_python(pipeline) for pipeline in files)
try:
    load("wrong.yaml")
except Exception as error:
    found["wrong"] = str(error)
print(json.dumps(found))
"""
ENDS_YAML = """
name: ends-of-yaml
checkpoint: {storage: yaml-state}
source: {countdown: {first: 5}}
steps: [{filter: n > 3}]
sink: {sqlite: {path: yaml.db}}
"""
FORMATS_YAML = """
name: formats
source:
  kafka: {topic: a, bootstrap_servers: "k:9092", format: pairs}
  schema: {n: int}
sink:
  kafka: {topic: b, bootstrap_servers: "k:9092", format: {pairs: {between: ","}}}
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


def ran(home: Path, program: str, *arguments: str) -> dict[str, Any]:
    """What a program tells that uses the package."""
    path = os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=False,
        cwd=home,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of its verbs."""
    home = tmp_path_factory.mktemp("example")
    (home / "job.yaml").write_text(YAML)
    (home / "wrong.yaml").write_text(YAML.replace("{n: 2}", "{m: 2}").replace("with: b", "with: c"))
    return ran(home, PROGRAM, "job.yaml", "wrong.yaml")


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of its source, sink and format."""
    home = tmp_path_factory.mktemp("ends")
    (home / "ends.yaml").write_text(ENDS_YAML)
    (home / "formats.yaml").write_text(FORMATS_YAML)
    (home / "wrong.yaml").write_text(ENDS_YAML.replace("first", "frist"))
    return ran(home, ENDS)


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
    assert all(found["schema"])


def test_mistakes_are_told_with_their_line(found: dict[str, Any]) -> None:
    assert "wrong.yaml:8:" in found["wrong"]
    assert "unknown field 'm'; one of n" in found["wrong"]
    assert "there is no step or source 'c'" in found["wrong"]


def test_rows_of_its_source_are_in_its_sink_once(ends: dict[str, Any]) -> None:
    expected = sorted(
        json.dumps({"split": f"countdown/{split}", "n": n})
        for split in range(2)
        for n in range(1, 2001)
    )
    assert (ends["run"], ends["rows"]) == ("finished", expected)
    assert (ends["again"], ends["rows again"]) == ("finished", expected)


def test_its_format_decodes_and_rejects(ends: dict[str, Any]) -> None:
    assert ends["pairs"] == [[1, "a"], [3, "c"]]


def test_a_file_names_its_source_sink_and_format(ends: dict[str, Any]) -> None:
    assert ends["yaml"] == [json.dumps({"split": "countdown/0", "n": n}) for n in (4, 5)]
    text = ends["as python"]
    assert "import raystream_example.countdown" in text
    assert "p.read(raystream_example.countdown.Countdown(first=5, splits=1))" in text
    assert 'raystream_example.sqlite.Sqlite(path="yaml.db")' in text
    assert 'format="pairs"' in text
    assert 'format=raystream_example.pairs.Pairs(between=",")' in text


def test_a_mistake_in_its_options_is_told_with_its_line(ends: dict[str, Any]) -> None:
    assert "wrong.yaml:4:22: source.countdown: unknown field 'frist'" in ends["wrong"]
