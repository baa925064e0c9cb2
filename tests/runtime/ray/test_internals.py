"""Names of Ray that it may change at any time are as in the version that is pinned."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path

import pytest

from raystream.runtime.ray import internals

SOURCES = Path(__file__).parents[3] / "raystream"


def test_they_were_looked_at_for_this_version() -> None:
    assert version("ray") == "2.60.0", "look at runtime/ray/internals.py again"


@pytest.mark.parametrize("name", internals.NAMES)
def test_each_is_there(name: str) -> None:
    assert internals.found(name) is not None


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("runtime_env.packaging:_dir_travel", ["path", "excludes", "handler"]),
        ("services:get_node", ["gcs_address", "node_id"]),
        ("services:start_ray_process", ["command", "process_type"]),
        ("state:GlobalState._initialize_global_state", ["self", "gcs_options"]),
        ("worker:print_to_stdstream", ["data", "ignore_prefix"]),
    ],
)
def test_they_take_what_they_are_given(name: str, parameters: list[str]) -> None:
    function = internals.found(f"ray._private.{name}")
    assert function is not None
    assert list(inspect.signature(function).parameters)[: len(parameters)] == parameters


def test_what_is_gone_is_done_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(internals, "found", lambda name: None)
    monkeypatch.setattr(internals, "_owner", lambda name: None)
    internals.forbid_clusters()
    internals.print_messages_with(print)
    internals.enable_token()
    internals.disable_token()
    assert internals.token_headers() == {}
    assert internals.error_file() is None
    assert internals.available_resources() == {}
    seen: list[Path] = []
    internals.each_uploaded(tmp_path, seen.append, internals.logging.getLogger("x"))
    assert seen == []
    with internals.lean_services(lambda one: one, lambda one: one):
        pass


def test_what_was_replaced_for_a_start_is_put_back() -> None:
    name = "ray._private.services:get_node"
    before = internals.found(name)
    with internals.lean_services(lambda one: one, lambda one: lambda *_: "other"):
        replaced = internals.found(name)
        assert replaced is not None
        assert replaced("", "") == "other"
    assert internals.found(name) is before


def test_no_other_file_knows_them() -> None:
    found = {
        path.name
        for path in SOURCES.rglob("*.py")
        if any("_private" in word or "ray._raylet" in word for word in imports(path))
    }
    assert found == {"internals.py"}


def imports(path: Path) -> list[str]:
    """Lines that import, or that reach into Ray through an attribute."""
    return [
        line
        for line in path.read_text().splitlines()
        if "ray._private" in line or ("import" in line and "_raylet" in line)
    ]
