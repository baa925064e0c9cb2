"""What other packages add by entry points: what cannot be used is named, with its package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raystream import entry_points
from raystream.connectors import registry as connectors
from raystream.errors import ConfigurationError
from raystream.formats import registry as formats
from raystream.operators import registry as operators

FILTER = "raystream.operators.filter.step:Filter"
WRONG: list[tuple[str, str, str, Callable[[], Any], str]] = [
    ("verb", "mine", "no_such_module:X", operators.verbs, "ModuleNotFoundError: No module named"),
    ("verb", "mine", "json:loads", operators.verbs, "it is no verb, but <function loads"),
    ("verb", "mine", "json:JSONDecoder", operators.verbs, "it is no verb, but <class"),
    ("verb", "filter", FILTER, operators.verbs, "there is a verb 'filter' already"),
    ("source", "mine", FILTER, connectors.other_sources, "it is no source, but <class"),
    ("source", "kafka", FILTER, connectors.other_sources, "there is a source 'kafka' already"),
    ("sink", "mine", FILTER, connectors.other_sinks, "it is no sink, but <class"),
    ("format", "mine", FILTER, formats.other_formats, "it is no format, but <class"),
    ("format", "csv", FILTER, formats.other_formats, "there is a format 'csv' already"),
]
GROUPS = {
    "verb": entry_points.VERBS,
    "source": entry_points.SOURCES,
    "sink": entry_points.SINKS,
    "format": entry_points.FORMATS,
}


@pytest.fixture(autouse=True)
def _looked_up_anew() -> Iterator[None]:
    cached = entry_points.some_package_names_us
    cached.cache_clear()
    yield
    cached.cache_clear()


@pytest.mark.parametrize(("kind", "name", "value", "known", "why"), WRONG)
def test_what_cannot_be_used_is_named(
    kind: str,
    name: str,
    value: str,
    known: Any,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    metadata = tmp_path / "theirs-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUPS[kind]}]\n{name} = {value}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError) as caught:
        known.__wrapped__()
    expected = f"theirs: its {kind} {name!r} ({value}) cannot be used: {why}"
    assert str(caught.value).startswith(expected)


def test_without_such_a_package_nothing_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_points, "_points", None)
    monkeypatch.setattr(entry_points, "some_package_names_us", lambda: False)
    assert operators.verbs.__wrapped__().keys() == {step.word for step in operators.OURS}
