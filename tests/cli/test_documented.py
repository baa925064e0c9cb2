"""docs/command-line.md tells of every verb and option, and of none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from raystream.api.environment import _VARIABLES as VARIABLES
from raystream.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs/command-line.md").read_text()
EVERYWHERE = {"--help", "--address"}


def sections() -> dict[str, str]:
    """Verb -> what the page says about it."""
    found = re.split(r"^###? .*?$", PAGE, flags=re.MULTILINE)[1:]
    titles = re.findall(r"^###? (.*?)$", PAGE, flags=re.MULTILINE)
    return dict(zip(titles, found, strict=True))


def of_verb(name: str) -> str:
    return next(
        text for title, text in sections().items() if re.match(rf"`raystream {name}\b", title)
    )


def options(name: str) -> set[str]:
    parameters = app().commands[name].params
    return {o for p in parameters for o in (*p.opts, *p.secondary_opts) if o.startswith("--")}


def test_every_verb_has_a_section() -> None:
    named = {found for title in sections() for found in re.findall(r"`raystream (\w+)", title)}
    assert named == set(app().commands)


def test_every_option_is_told_and_none_is_made_up() -> None:
    for name in app().commands:
        told = set(re.findall(r"--[a-z][\w-]+", of_verb(name)))
        missing = options(name) - EVERYWHERE - told
        assert (name, missing) == (name, set())
        made_up = told - options(name) - {"--from-savepoint"}
        assert (name, made_up) == (name, set())


def test_every_variable_is_told() -> None:
    assert [variable for variable in VARIABLES if f"`{variable}`" not in PAGE] == []
