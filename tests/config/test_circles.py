"""A mistake that only the whole plan shows is told at the step of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from raystream.config.load import load
from raystream.config.place import InvalidFile

FILE = """\
name: job
source:
  files: {{path: {home}}}
  schema: {{n: int}}
steps:
  - filter: n > 0
sink:
  files: {{path: {home}/out}}
"""


def test_a_sink_that_feeds_the_source_is_told_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(FILE.format(home=tmp_path / "data"))
    (tmp_path / "data").mkdir()
    with pytest.raises(InvalidFile, match=r"job\.yaml:8:3: .*rows would be read again"):
        load(str(path))
