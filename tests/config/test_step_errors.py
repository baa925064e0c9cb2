"""`errors:` of steps: the policy that Python has, with a sink for what goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from raystream.config.load import load
from raystream.config.place import InvalidFile
from raystream.config.to_python import to_python
from raystream.testing.cases import run_cases

FILE = """\
name: job
sources:
  in:
    kafka: {{bootstrap_servers: nowhere:1, topic: t}}
    schema: {{n: int}}
steps:
  - map: row_functions_of_a_test:divide
    schema: {{v: int}}
    errors: {errors}
sinks:
  out: {{kafka: {{bootstrap_servers: nowhere:1, topic: out}}}}
  dead: {{kafka: {{bootstrap_servers: nowhere:1, topic: dead}}}}
tests:
  - name: one
    given: {{in: [{{n: 2}}, {{n: 0}}, {{n: 3}}]}}
    expect:
      out: [{{v: 3}}, {{v: 2}}]
      dead: [{{reason: "ZeroDivisionError: integer division or modulo by zero"}}]
"""


def written(tmp_path: Path, errors: str) -> str:
    module = tmp_path / "row_functions_of_a_test.py"
    module.write_text("def divide(row):\n    return {'v': 6 // row['n']}\n")
    path = tmp_path / "job.yaml"
    path.write_text(FILE.format(errors=errors))
    return str(path)


def test_dead_letters_of_a_step_reach_their_sink(tmp_path: Path) -> None:
    path = written(tmp_path, "{policy: dlq, to: dead}")
    (result,) = run_cases(path)
    assert result.passed, result.lines()
    code = to_python(load(path).pipeline)
    assert 'errors="dlq"' in code
    assert ".errors.write(" in code


def test_dlq_needs_a_sink(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"steps\[0\].errors.policy: dlq needs to: SINK"):
        load(written(tmp_path, "{policy: dlq}"))
