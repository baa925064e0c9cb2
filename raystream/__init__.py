"""raystream: streams of rows on Ray, Kafka to Kafka, exactly once.

Everything public is here and is loaded when it is first used: `import raystream` is light.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from raystream import library_names as _library_names

if TYPE_CHECKING:
    from polars import col as col
    from polars import lit as lit

    from raystream import errors as errors
    from raystream.api.aggregates import approx_count_distinct as approx_count_distinct
    from raystream.api.aggregates import arg_max as arg_max
    from raystream.api.aggregates import arg_min as arg_min
    from raystream.api.aggregates import collect as collect
    from raystream.api.aggregates import count as count
    from raystream.api.aggregates import count_distinct as count_distinct
    from raystream.api.aggregates import first as first
    from raystream.api.aggregates import last as last
    from raystream.api.aggregates import max as max  # noqa: A004 - the word users know
    from raystream.api.aggregates import mean as mean
    from raystream.api.aggregates import median as median
    from raystream.api.aggregates import min as min  # noqa: A004 - the word users know
    from raystream.api.aggregates import quantile as quantile
    from raystream.api.aggregates import stddev as stddev
    from raystream.api.aggregates import sum as sum  # noqa: A004 - the word users know
    from raystream.api.aggregates import top_k as top_k
    from raystream.api.aggregates import variance as variance
    from raystream.api.jobs.job import Job as Job
    from raystream.api.jobs.job import job as job
    from raystream.api.jobs.job import jobs as jobs
    from raystream.api.over import lag as lag
    from raystream.api.over import row_number as row_number
    from raystream.api.pipeline import Pipeline as Pipeline
    from raystream.api.stream import Stream as Stream
    from raystream.api.user_aggregates import aggregate as aggregate
    from raystream.api.user_aggregates import aggregate_columns as aggregate_columns
    from raystream.api.watermark import Watermark as Watermark
    from raystream.api.windows import count_window as count_window
    from raystream.api.windows import cumulative as cumulative
    from raystream.api.windows import early as early
    from raystream.api.windows import global_window as global_window
    from raystream.api.windows import hopping as hopping
    from raystream.api.windows import session as session
    from raystream.api.windows import trigger as trigger
    from raystream.api.windows import tumbling as tumbling
    from raystream.connectors.collect import Collect as Collect
    from raystream.connectors.datagen import Datagen as Datagen
    from raystream.connectors.files.source import Files as Files
    from raystream.connectors.kafka.connection import Kafka as Kafka
    from raystream.connectors.kafka.topic_pattern import pattern as pattern
    from raystream.connectors.memory import Payloads as Payloads
    from raystream.connectors.memory import Rows as Rows
    from raystream.data.schema import Schema as Schema
    from raystream.graph.process import Context as Context
    from raystream.graph.process import List as List
    from raystream.graph.process import Map as Map
    from raystream.graph.process import Process as Process
    from raystream.graph.process import Value as Value
    from raystream.graph.process import state as state
    from raystream.job.outcome import Outcome as Outcome

_library_names.keep()

__version__ = "0.1.0"

_WHERE = {
    "Collect": "raystream.connectors.collect",
    "Context": "raystream.graph.process",
    "Datagen": "raystream.connectors.datagen",
    "Files": "raystream.connectors.files.source",
    "Job": "raystream.api.jobs.job",
    "Kafka": "raystream.connectors.kafka.connection",
    "List": "raystream.graph.process",
    "Map": "raystream.graph.process",
    "Outcome": "raystream.job.outcome",
    "Payloads": "raystream.connectors.memory",
    "Pipeline": "raystream.api.pipeline",
    "Process": "raystream.graph.process",
    "Rows": "raystream.connectors.memory",
    "Schema": "raystream.data.schema",
    "Stream": "raystream.api.stream",
    "Value": "raystream.graph.process",
    "Watermark": "raystream.api.watermark",
    "aggregate": "raystream.api.user_aggregates",
    "aggregate_columns": "raystream.api.user_aggregates",
    "approx_count_distinct": "raystream.api.aggregates",
    "arg_max": "raystream.api.aggregates",
    "arg_min": "raystream.api.aggregates",
    "col": "polars",
    "collect": "raystream.api.aggregates",
    "count": "raystream.api.aggregates",
    "count_window": "raystream.api.windows",
    "cumulative": "raystream.api.windows",
    "early": "raystream.api.windows",
    "first": "raystream.api.aggregates",
    "global_window": "raystream.api.windows",
    "hopping": "raystream.api.windows",
    "job": "raystream.api.jobs.job",
    "jobs": "raystream.api.jobs.job",
    "lag": "raystream.api.over",
    "last": "raystream.api.aggregates",
    "lit": "polars",
    "max": "raystream.api.aggregates",
    "mean": "raystream.api.aggregates",
    "variance": "raystream.api.aggregates",
    "stddev": "raystream.api.aggregates",
    "count_distinct": "raystream.api.aggregates",
    "median": "raystream.api.aggregates",
    "min": "raystream.api.aggregates",
    "quantile": "raystream.api.aggregates",
    "pattern": "raystream.connectors.kafka.topic_pattern",
    "state": "raystream.graph.process",
    "sum": "raystream.api.aggregates",
    "row_number": "raystream.api.over",
    "session": "raystream.api.windows",
    "trigger": "raystream.api.windows",
    "top_k": "raystream.api.aggregates",
    "tumbling": "raystream.api.windows",
}

__all__ = sorted([*_WHERE, "__version__", "errors"])  # noqa: PLE0605 - one table of names


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    import importlib

    if name == "errors":
        return importlib.import_module("raystream.errors")
    if name not in _WHERE:
        raise _unknown(name)
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__


def _unknown(name: str) -> AttributeError:
    from raystream.api.peers import NOT_YET, RENAMED
    from raystream.graph.nearest import did_you_mean

    advice = f"it is rs.{RENAMED[name]}" if name in RENAMED else NOT_YET.get(name)
    advice = advice or did_you_mean(name, _WHERE)
    return AttributeError(f"raystream has no {name!r}; {advice}")


class _Package(ModuleType):
    """Importing the package raystream.job would put it where `rs.job`, the function, is.

    The same of raystream.state.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("job", "state") or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
