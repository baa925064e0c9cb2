"""The house stays small: one concept per file, named for what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "raystream"
MAX_LINES = 500
FORBIDDEN = ("utils", "util", "common", "manager", "helper", "helpers", "misc")


def python_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)


def too_long(files: list[Path]) -> list[str]:
    counted = ((path, len(path.read_text().splitlines())) for path in files)
    return [f"{path.name}: {lines} lines" for path, lines in counted if lines > MAX_LINES]


def badly_named(files: list[Path]) -> list[str]:
    return [str(path) for path in files if set(FORBIDDEN) & words(path)]


def words(path: Path) -> set[str]:
    return {word for part in path.parts for word in Path(part).stem.split("_")}


def test_no_file_is_longer_than_the_limit() -> None:
    assert python_files(PACKAGE)
    assert too_long(python_files(PACKAGE) + python_files(ROOT / "tests")) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    relative = [path.relative_to(ROOT) for path in python_files(PACKAGE)]
    assert badly_named(relative) == []


def test_a_long_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("x = 1\n" * (MAX_LINES + 1))
    assert too_long(python_files(tmp_path)) == ["long.py: 501 lines"]


@pytest.mark.parametrize("name", ["utils.py", "task_manager.py", "common/base.py"])
def test_a_bad_name_is_found(name: str) -> None:
    assert badly_named([Path("raystream") / name]) == [f"raystream/{name}"]
