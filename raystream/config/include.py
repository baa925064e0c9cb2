"""`include:`: other files merged below this one; lists replace, maps merge."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from raystream.config.place import Place, Problems
from raystream.config.yaml import MAX_BYTES, Mapping, Node, Scalar, Sequence, parse

MAX_FILES = 20


def read(path: str, problems: Problems) -> Node | None:
    """The document of a file, with everything it includes merged below it.

    Args:
        path: The file; places name it as it is written here.
        problems: Takes what cannot be read.
    """
    return _Reading(problems).with_includes(path, Place(path, 1, 1), ())


class _Reading:
    """Reads one file and what it includes; counts the files."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._files = 0

    def with_includes(self, path: str, asked: Place, above: tuple[str, ...]) -> Node | None:
        """The document of a file that those `above` include."""
        real = os.path.realpath(path)
        self._files += 1
        if real in above or self._files > MAX_FILES:
            text = f"{path} includes itself" if real in above else f"more than {MAX_FILES} files"
            self._problems.add(asked, "include", text)
            return None
        merged = self._one(path, asked, "include" if above else "")
        for name in reversed(_included(merged) if merged is not None else []):
            inner = os.path.join(os.path.dirname(path), name.text)
            below = self.with_includes(inner, name.place, (*above, real))
            if isinstance(below, Mapping) and merged is not None:
                merged = merge(merged, below)
        return merged

    def _one(self, path: str, asked: Place, where: str) -> Mapping | None:
        text = _text(path, asked, self._problems, where)
        node = None if text is None else parse(text, path, self._problems)
        if node is None or isinstance(node, Mapping):
            return node
        message = "a pipeline is a map: name, source, steps, sink"
        self._problems.add(node.place, "", message)
        return None


def merge(over: Mapping, under: Mapping) -> Mapping:
    """Both maps in one; `over` wins, maps inside are merged, too."""
    mine = {key.text: value for key, value in over.items}
    pairs = [(key, _merged(value, under.get(key.text))) for key, value in over.items]
    pairs += [pair for pair in under.items if pair[0].text not in (*mine, "include")]
    return replace(over, items=tuple(pairs))


def _merged(over: Node, under: Node | None) -> Node:
    both = isinstance(over, Mapping) and isinstance(under, Mapping)
    return merge(over, under) if both else over  # type: ignore[arg-type]


def _included(node: Mapping) -> list[Scalar]:
    found = node.get("include")
    items = found.items if isinstance(found, Sequence) else (found,)
    return [item for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]


def _text(path: str, asked: Place, problems: Problems, where: str) -> str | None:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        problems.add(asked, where, f"{path} cannot be read ({error.strerror})")
    except UnicodeDecodeError:
        problems.add(asked, where, f"{path} is not UTF-8 text")
    return None
