"""What a bare import may load; the directions between modules are import-linter's work."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HEAVY = {"ray", "polars", "numpy", "confluent_kafka", "kafka", "obstore", "rich"}


def loaded_by(module: str) -> set[str]:
    """The heavy libraries in a fresh interpreter after importing the module."""
    code = f"import {module}, sys; print(*set({sorted(HEAVY)!r}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "raystream",
        "raystream.operators.registry",
        "raystream.checkpoint.records",
        "tests.support.broker",
    ],
)
def test_import_is_light(module: str) -> None:
    assert loaded_by(module) == set()


@pytest.mark.parametrize(
    ("module", "needed"),
    [
        ("raystream.runtime.ray.foreground", set()),  # the driver starts before the job is planned
        ("raystream.runtime.ray.driver", set()),
        ("raystream.runtime.ray.entry", {"ray"}),  # with the class of the coordinator
    ],
)
def test_what_is_needed_before_a_driver_watches_a_job_is_light(
    module: str, needed: set[str]
) -> None:
    assert loaded_by(module) == needed


def test_a_heavy_import_is_found() -> None:
    assert "polars" in loaded_by("polars")


ROOT = Path(__file__).parents[2] / "raystream"
LIGHT_AT_THE_TOP = ("graph", "api", "config", "cli")


def top_level_imports(source: str) -> set[str]:
    """Libraries that the module imports when it is loaded: not in functions, not for types only."""
    pending: list[ast.stmt] = ast.parse(source).body
    found: set[str] = set()
    while pending:
        statement = pending.pop()
        if isinstance(statement, ast.Import):
            found |= {name.name.split(".")[0] for name in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            found.add(statement.module.split(".")[0])
        elif isinstance(statement, ast.If) and "TYPE_CHECKING" not in ast.unparse(statement.test):
            pending += statement.body + statement.orelse
        elif isinstance(statement, ast.Try | ast.ClassDef):
            pending += statement.body
    return found


@pytest.mark.parametrize("package", LIGHT_AT_THE_TOP)
def test_what_the_user_says_loads_heavy_libraries_only_in_functions(package: str) -> None:
    loaded = {
        path.name: top_level_imports(path.read_text()) & HEAVY
        for path in (ROOT / package).rglob("*.py")
    }
    assert {name: heavy for name, heavy in loaded.items() if heavy} == {}


def test_import_at_the_top_is_told_from_one_in_a_function() -> None:
    assert top_level_imports("import polars.io\ndef f():\n    import ray") == {"polars"}
    assert top_level_imports("if TYPE_CHECKING:\n    import ray\nelse:\n    import json") == set()


def test_every_folder_of_a_verb_is_in_the_contracts() -> None:
    tool = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["tool"]["importlinter"]
    contracts = {contract["id"]: contract for contract in tool["contracts"]}
    folders = [path.parent.name for path in ROOT.glob("operators/*/step.py")]
    assert len(folders) > 10
    strange = contracts["verbs"]["forbidden_modules"]
    assert {f"raystream.operators.{name}" for name in folders} <= set(strange)
    pure = contracts["pure"]["source_modules"]
    assert {f"raystream.operators.{name}.step" for name in folders} <= set(pure)


def test_the_value_of_a_verb_loads_nothing_heavy() -> None:
    for path in ROOT.glob("operators/*/step.py"):
        assert top_level_imports(path.read_text()) & HEAVY == set()
