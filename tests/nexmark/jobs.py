"""The queries of pipelines/nexmark, loaded as `raystream run` loads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import raystream as rs
from raystream.api.user_modules import load_file

FILE = Path(__file__).parents[2] / "pipelines/nexmark/jobs.py"
_LOADED: Any = load_file(str(FILE))

QUERIES: Mapping[str, Callable[[Any], Any]] = _LOADED.QUERIES
SCHEMAS: Mapping[str, Mapping[str, str]] = _LOADED.SCHEMAS
PARTITIONED: Mapping[str, tuple[str, ...]] = _LOADED.PARTITIONS


def job(query: str) -> rs.Pipeline:
    """The job of a query; its sources are called person, auction, bid, its sink like the query."""
    made: rs.Pipeline = _LOADED.on_kafka(query)
    return made


def query_of(query: str, pipeline: rs.Pipeline, source: Callable[[str], Any]) -> Any:
    """The result of a query in a pipeline, reading these sources of person, auction and bid."""
    return QUERIES[query](_LOADED.Events(pipeline, source))
