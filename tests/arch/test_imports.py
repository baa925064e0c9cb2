"""What a bare import may load; the directions between modules are import-linter's work."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"ray", "polars", "numpy", "confluent_kafka", "kafka", "obstore", "rich", "typer"}


def loaded_by(module: str) -> set[str]:
    """The heavy libraries in a fresh interpreter after importing the module."""
    code = f"import {module}, sys; print(*set({sorted(HEAVY)!r}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "raystream",
        "raystream.graph.steps",
        "raystream.checkpoint.records",
        "raystream.testing.broker",
    ],
)
def test_import_is_light(module: str) -> None:
    assert loaded_by(module) == set()


def test_a_heavy_import_is_found() -> None:
    assert "polars" in loaded_by("polars")
