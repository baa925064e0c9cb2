"""`RAYSTREAM_*` variables override the pipeline's settings; the command line overrides both.

One rule for every setting: the command line (or an argument of `run`), else the variable, else
what the pipeline sets in Python or YAML, else the default. `RAYSTREAM_BOOTSTRAP_SERVERS` replaces
the address of every rs.Kafka of the pipeline; with several clusters this logs a warning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from raystream.connectors.kafka.settings import BOOTSTRAP_VARIABLE
from raystream.connectors.traits import cluster_of
from raystream.errors import ConfigurationError
from raystream.graph.policies import DeliveryGuarantee
from raystream.native import SWITCH, demanded, switched, why_not
from raystream.native.demand import missing
from raystream.units import seconds, state_size

if TYPE_CHECKING:
    from raystream.api.settings import Settings
    from raystream.graph.logical import LogicalGraph

PREFIX = "RAYSTREAM_"
STORAGE_VARIABLE = "RAYSTREAM_CHECKPOINT_STORAGE"
_OURS = (
    "RAYSTREAM_ADDRESS",
    "RAYSTREAM_SECRET_",
    "RAYSTREAM_TEST_",
    "RAYSTREAM_POINTS",
    "RAYSTREAM_E2E",
    "RAYSTREAM_UI",
    "RAYSTREAM_LOG_FORMAT",
)
"""Variables of the command line, secrets of pipeline files, and test variables: not settings."""


def in_effect(settings: Settings, environment: Mapping[str, str] | None = None) -> Settings:
    """Apply the environment on top of a pipeline's settings.

    Args:
        settings: As set in the pipeline.
        environment: Overrides that of the process.

    Raises:
        ConfigurationError: a variable has a wrong value; the message names it.
    """
    values = os.environ if environment is None else environment
    changed = {
        name: _read(variable_of(name), values[variable_of(name)], read)
        for name, read in _READ.items()
        if values.get(variable_of(name))
    }
    return replace(settings, **changed)


def variable_of(setting: str) -> str:
    """Name of the variable for a setting.

    >>> variable_of("checkpoint_interval")
    'RAYSTREAM_CHECKPOINT_INTERVAL'
    """
    return PREFIX + setting.upper()


def told_by_environment(graph: LogicalGraph, *, but: tuple[str, ...] = ()) -> str:
    """What the environment sets in this run, for the first line; empty if nothing.

    Args:
        graph: Of the pipeline.
        but: Settings that the command line sets.
    """
    names = [variable_of(name) for name in _READ if name not in but]
    if _addresses(graph):
        names.append(BOOTSTRAP_VARIABLE)
    values = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]
    return f"from the environment: {', '.join(values)}" if values else ""


def native_reader(graph: LogicalGraph) -> str:
    """Whether there is a native reader, for the first line; empty if it would read nothing.

    Raises:
        ConfigurationError: there is none, and RAYSTREAM_NATIVE=1 demands it; or another value.
    """
    if switched() not in ("", "0", "1"):
        what = f"{switched()!r} is neither 0 nor 1"
        raise ConfigurationError(what, SWITCH, "unset it: it is used where it is built")
    why = why_not()
    if why and demanded():
        raise missing(why)
    formats = (getattr(node.step.source, "format", None) for node in graph.nodes)
    if not any(getattr(form, "name", "") == "json" for form in formats):
        return ""
    return f"native reader: {why or 'on'}"


def doubts(graph: LogicalGraph, environment: Mapping[str, str] | None = None) -> list[str]:
    """Warnings: unknown variables, several clusters that become one.

    Args:
        graph: Of the pipeline.
        environment: Overrides that of the process.
    """
    values = os.environ if environment is None else environment
    found = [_unknown(name) for name in sorted(values) if _is_unknown(name)]
    addresses = _addresses(graph)
    if values.get(BOOTSTRAP_VARIABLE) and len(addresses) > 1:
        found.append(
            f"{BOOTSTRAP_VARIABLE}={values[BOOTSTRAP_VARIABLE]} replaces {' and '.join(addresses)}:"
            " both are the same cluster now"
        )
    return found


def _is_unknown(name: str) -> bool:
    return name.startswith(PREFIX) and name not in _VARIABLES and not name.startswith(_OURS)


def _unknown(name: str) -> str:
    near = get_close_matches(name, _VARIABLES, 1, 0.8)
    advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(_VARIABLES)}"
    return f"{name} is not a variable of raystream and has no effect; {advice}"


def _addresses(graph: LogicalGraph) -> list[str]:
    ends = (end for n in graph.nodes for end in (n.step.source, n.step.sink))
    kafkas = (cluster_of(end) for end in ends)
    return sorted({kafka.bootstrap_servers for kafka in kafkas if kafka is not None})


def _read(variable: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except ConfigurationError as error:
        raise ConfigurationError(error.what, variable, error.what_to_do) from None


def _duration(text: str) -> float:
    return seconds(text, "its value")


def _interval(text: str) -> float:
    found = _duration(text)
    if found <= 0:
        what = "it must be more than 0"
        raise ConfigurationError(what, what_to_do="for example 10s, 5m, 250ms")
    return found


def _subtasks(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        what = f"{text!r} is not a number of subtasks"
        raise ConfigurationError(what, what_to_do="write 1 or more, or unset it")
    return int(text)


def _size(text: str) -> int:
    return state_size(text, "its value")


def _guarantee(text: str) -> DeliveryGuarantee:
    try:
        return DeliveryGuarantee(text)
    except ValueError:
        what = f"{text!r} is not a delivery guarantee"
        raise ConfigurationError(
            what, what_to_do=f"one of {', '.join(DeliveryGuarantee)}"
        ) from None


_READ: Mapping[str, Callable[[str], Any]] = {
    "checkpoint_storage": str,
    "checkpoint_interval": _interval,
    "checkpoint_timeout": _duration,
    "checkpoint_min_pause": _duration,
    "parallelism": _subtasks,
    "state_memory": _size,
    "state_directory": str,
    "delivery_guarantee": _guarantee,
}
_VARIABLES = (*map(variable_of, _READ), BOOTSTRAP_VARIABLE, SWITCH)
