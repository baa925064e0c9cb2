"""The only importer of Ray.

A worker process of Ray runs one polars thread, since parallelism comes from subtasks. This must be
set before polars is imported, and this file is the first of ours that such a process imports.
Ray must also be configured before its import not to print a paragraph for each process that we
kill ourselves: which one died, and why, is in the status and in the outcome. In a notebook Ray
recommends ipywidgets, which nothing here uses.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib.util import find_spec

from raystream.errors import ConfigurationError

if find_spec("ray") is None:
    what = "this needs Ray"
    raise ConfigurationError(what, what_to_do="pip install 'ray[default]'")

if os.path.basename(sys.argv[0]) == "default_worker.py":
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
logging.getLogger("ray.widgets").setLevel(logging.ERROR)
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died or was killed")
