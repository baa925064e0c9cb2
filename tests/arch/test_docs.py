"""What README and docs name exists: files, scripts, tests; and the README's job is the real one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from raystream.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
FOLDERS = "raystream|tests|docs|scripts|pipelines|configs"
_PATH = re.compile(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]*\w/?)((?:::\w+)*)")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]*)(?:#([\w-]+))?\)")


def missing_paths(text: str) -> list[str]:
    """Paths, and tests `path::name`, that are named but not there."""
    return [path + names for path, names in _PATH.findall(text) if not exists(path, names)]


def exists(path: str, names: str) -> bool:
    if not names:
        return (ROOT / path).exists()
    if not (ROOT / path).is_file():
        return False
    tree = ast.parse((ROOT / path).read_text())
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return set(names.split("::")[1:]) <= functions


def broken_links(page: Path, text: str | None = None) -> list[str]:
    """Links to files that are not there, and to headings that their page does not have."""
    broken = []
    for path, anchor in _LINK.findall(page.read_text() if text is None else text):
        target = page.parent / path if path else page
        if not target.exists():
            broken.append(path)
        elif anchor and anchor not in anchors(target.read_text()):
            broken.append(f"{path}#{anchor}")
    return broken


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings of a page."""
    titles = re.findall(r"^#+ +(.*)$", _BLOCK.sub("", text), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {each.strip().replace(" ", "-") for each in words}


def blocks(text: str, language: str) -> list[str]:
    return [code for name, code in _BLOCK.findall(text) if name == language]


def commands(text: str) -> list[list[str]]:
    """Words of each command in the shell blocks, without comments."""
    lines = [
        line.split("#")[0].split() for block in blocks(text, "sh") for line in block.split("\n")
    ]
    return [words for words in lines if words]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    assert missing_paths(page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_existing_scripts(page: Path) -> None:
    named = [word for words in commands(page.read_text()) for word in words if "scripts/" in word]
    scripts = [re.sub(r".*(scripts/[\w-]+).*", r"\1", word) for word in named]
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_the_job_of_the_readme_is_the_pipeline() -> None:
    (job,) = (code for code in blocks((ROOT / "README.md").read_text(), "python"))
    source = (ROOT / "pipelines/requests_per_minute.py").read_text()
    assert source.endswith(job)
    assert job.startswith("import raystream as rs\n")


def test_options_of_the_readme_are_known() -> None:
    verbs = app().commands.values()
    known = {option for verb in verbs for each in verb.params for option in each.opts}
    runs = [words for words in commands((ROOT / "README.md").read_text()) if "raystream" in words]
    options = {word for words in runs for word in words[words.index("raystream") :] if "--" in word}
    assert options
    assert [option for option in options if option not in known] == []


def test_what_is_not_there_is_found() -> None:
    text = "see `raystream/no_such.py`, `tests/arch/test_docs.py::test_no_such`, docs/x"
    assert missing_paths(text) == [
        "raystream/no_such.py",
        "tests/arch/test_docs.py::test_no_such",
        "docs/x",
    ]
    assert missing_paths("`tests/arch/test_docs.py::test_what_is_not_there_is_found`") == []
    readme, other = ROOT / "README.md", "docs/installing.md"
    text = f"[a](docs/none.md) [b](https://example.org) [c](#none) [d]({other}#nothing)"
    assert broken_links(readme, text) == ["docs/none.md", "#none", f"{other}#nothing"]
    assert broken_links(readme, f"[a]({other}#rolling-back) [b](#try-it)") == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_rows_of_a_table_have_as_many_cells_as_its_head(page: Path) -> None:
    """`||` begins an empty cell: the row is shown shifted."""
    assert ragged(page.read_text()) == []


def ragged(text: str) -> list[str]:
    found, width, code = [], 0, False
    for line in text.splitlines():
        code ^= line.startswith("```")
        if code or not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        width = width or cells
        if cells != width:
            found.append(line)
    return found


def test_a_ragged_row_is_found() -> None:
    assert ragged("| a | b |\n|---|---|\n|| c | d ||\n| e | f |") == ["|| c | d ||"]
