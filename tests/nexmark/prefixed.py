"""The jobs of pipelines/nexmark on topics of a query's own, for `verify`: `prefixed.py:q5`."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from raystream.api.user_modules import load_file

FILE = Path(__file__).parents[2] / "pipelines/nexmark/jobs.py"
load_file(str(FILE))
_jobs = import_module("jobs")

_directory = os.environ.get("RAYSTREAM_NEXMARK_FILES", ".")
globals().update({query: _jobs.on_kafka(query, f"{query}-", _directory) for query in _jobs.QUERIES})
