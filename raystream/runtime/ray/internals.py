"""What Ray has no public API for: `ray._private` and `ray._raylet` are imported here alone.

Tested against one version (`tests/runtime/ray/test_internals.py`), which constraints.txt names.
With another one each function does without what is gone: the job runs, starts slower, or says less.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

NAMES = (
    "ray._private.authentication.authentication_token_setup:"
    "maybe_enable_token_auth_if_token_available",
    "ray._private.node:Node.start_api_server",
    "ray._private.node:Node.start_log_monitor",
    "ray._private.node:Node.start_monitor",
    "ray._private.ray_constants:ENABLE_RAY_CLUSTER",
    "ray._private.ray_constants:get_runtime_env_default_excludes",
    "ray._private.runtime_env.packaging:_dir_travel",
    "ray._private.runtime_env.packaging:_get_excludes",
    "ray._private.services:_get_gcs_client_options",
    "ray._private.services:get_node",
    "ray._private.services:start_ray_process",
    "ray._private.state:GlobalState._initialize_global_state",
    "ray._private.state:GlobalState.node_table",
    "ray._private.state:available_resources_per_node",
    "ray._private.utils:get_dashboard_dependency_error",
    "ray._private.worker:global_worker.get_err_file_path",
    "ray._private.worker:print_to_stdstream",
    "ray._raylet:AuthenticationTokenLoader",
    "ray._raylet:Config.initialize",
)
"""All that is used."""

FIRST_CALL = (
    "ray._common.pydantic_compat",
    "ray._private.arrow_serialization",
    "pydantic.v1.fields",
)
"""What Ray imports at a worker's first call, 0.1 s of CPU: modules to be loaded before."""

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Given Ray's function, the one to call instead."""


def found(name: str) -> Any | None:
    """One of NAMES, None if this version of Ray does not have it.

    >>> found("ray._private.services:what_never_was") is None
    True
    """
    module, _, path = name.partition(":")
    try:
        value: Any = import_module(module)
        for part in path.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError):
        return None
    return value


def each_uploaded(directory: Path, note: Callable[[Path], None], log: logging.Logger) -> None:
    """Call `note` with each path below a directory that Ray would upload, if that is known."""
    packaging = "ray._private.runtime_env.packaging"
    travel, excluded = found(f"{packaging}:_dir_travel"), found(f"{packaging}:_get_excludes")
    by_default = found("ray._private.ray_constants:get_runtime_env_default_excludes")
    if travel and excluded and by_default:
        travel(directory, [excluded(directory, by_default())], note, True, log)


def forbid_clusters() -> None:
    """Let Ray believe that this machine cannot be part of a cluster; it has been imported."""
    _set("ray._private.ray_constants", "ENABLE_RAY_CLUSTER", False)


def print_messages_with(function: Callable[..., None]) -> None:
    """Let Ray call this function with each message of a raylet, instead of its own."""
    _set("ray._private.worker", "print_to_stdstream", function)


def enable_token() -> None:
    """Enable token authentication if this user has a token."""
    module = "ray._private.authentication.authentication_token_setup"
    enable = found(f"{module}:maybe_enable_token_auth_if_token_available")
    if enable is not None:
        logging.getLogger(module).setLevel(logging.ERROR)  # enabling it is not news
        enable(warn_if_disabled=False)


def disable_token() -> None:
    """Disable token authentication, which a variable or `enable_token` may have enabled."""
    refresh: Any = found("ray._raylet:Config.initialize")
    if os.environ.pop("RAY_AUTH_MODE", None) is not None and refresh is not None:
        refresh("")


def token_headers() -> Mapping[str, str]:
    """Headers that Ray would send with a call."""
    tokens: Any = found("ray._raylet:AuthenticationTokenLoader")
    if tokens is None or not tokens.instance().has_token():
        return {}
    headers: Mapping[str, str] = tokens.instance().get_token_for_http_header()
    return headers


def error_file() -> str | None:
    """File to which Ray writes the standard error of this process."""
    named: Any = found("ray._private.worker:global_worker.get_err_file_path")
    return (named() or None) if named is not None else None


def available_resources() -> Mapping[str, Mapping[str, float]]:
    """Free resources of each node, by its id."""
    available: Any = found("ray._private.state:available_resources_per_node")
    free: Mapping[str, Mapping[str, float]] = available() if available is not None else {}
    return free


def node_lister(gcs_address: str) -> Callable[[], list[str]]:
    """A function that asks the control service for the ids of all nodes; needs no connection."""
    from ray._private import services, state

    known: Any = state.GlobalState()  # type: ignore[no-untyped-call]
    options: Any = services._get_gcs_client_options  # noqa: SLF001 - Ray's own way
    known._initialize_global_state(options(gcs_address))  # noqa: SLF001
    return lambda: [str(node["NodeID"]) for node in known.node_table()]


@contextmanager
def lean_services(start_process: Wrap, get_node: Wrap) -> Iterator[None]:
    """Let Ray start no autoscaler, dashboard and log monitor.

    Args:
        start_process: Wraps its function that starts a process.
        get_node: Wraps its function that looks up the new node.
    """
    nothing: Wrap = lambda _: _nothing  # noqa: E731 - so it has a type
    with ExitStack() as changes:
        for name in ("start_monitor", "start_api_server", "start_log_monitor"):
            changes.enter_context(_replaced("ray._private.node:Node", name, nothing))
        # Ray's own check imports half a dashboard
        error = "get_dashboard_dependency_error"
        changes.enter_context(_replaced("ray._private.utils", error, lambda _: _no_dashboard))
        services = "ray._private.services"
        changes.enter_context(_replaced(services, "start_ray_process", start_process))
        changes.enter_context(_replaced(services, "get_node", get_node))
        yield


def _owner(name: str) -> Any | None:
    if ":" in name:
        return found(name)
    try:
        return import_module(name)
    except ImportError:
        return None


def _set(owner: str, name: str, value: Any) -> None:
    where = _owner(owner)
    if hasattr(where, name):
        setattr(where, name, value)


@contextmanager
def _replaced(owner: str, name: str, other: Wrap) -> Iterator[None]:
    where = _owner(owner)
    before = getattr(where, name, None)
    if before is None:
        yield
        return
    setattr(where, name, other(before))
    try:
        yield
    finally:
        setattr(where, name, before)


def _no_dashboard() -> ImportError:
    """The result that Ray gets where it was installed without a dashboard."""
    return ImportError("a private cluster has none")


def _nothing(*_: object, **__: object) -> None:
    """Start nothing."""
