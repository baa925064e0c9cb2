"""Windows of pipeline files."""

from __future__ import annotations

from pathlib import Path

import pytest

from raystream.config.load import load
from raystream.config.place import InvalidFile
from raystream.config.to_python import to_python
from raystream.graph.windows import Session
from tests.config.corpus import LOADING


@pytest.mark.parametrize(
    ("said", "window", "python"),
    [
        ("5m", Session(300_000), '.window(rs.session("5m"))'),
        ("{gap: 5m}", Session(300_000), '.window(rs.session("5m"))'),
        ("n", Session(column="n"), '.window(rs.session("n"))'),
    ],
)
def test_sessions(tmp_path: Path, said: str, window: Session, python: str) -> None:
    text = f"""
version: 1
name: visits
source: {{files: {{path: in}}, schema: {{user: string, n: int}}}}
steps:
  - key_by: user
    window: {{session: {said}}}
    aggregate: {{n: count()}}
sink: {{files: {{path: out}}}}
"""
    path = tmp_path / "job.yaml"
    path.write_text(text)
    pipeline = load(str(path), LOADING).pipeline
    step = next(n.step for n in pipeline.graph().nodes if n.step.word == "session_aggregate")
    assert step.window == window
    assert python in to_python(pipeline)
    path.write_text(text.replace(f"session: {said}", f"session: {said}, offset: 1m"))
    with pytest.raises(InvalidFile, match="offset is not for sessions, which begin with"):
        load(str(path), LOADING)
