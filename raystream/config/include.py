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
        problems: Takes what can not be read.
    """
    return _with_includes(path, Place(path, 1, 1), problems, ())


def _with_includes(
    path: str, asked: Place, problems: Problems, above: tuple[str, ...]
) -> Node | None:
    real = os.path.realpath(path)
    if real in above:
        problems.add(asked, "include", f"{path} includes itself")
        return None
    if len(above) >= MAX_FILES:
        problems.add(asked, "include", f"more than {MAX_FILES} files, one in the other")
        return None
    text = _text(path, asked, problems, "include" if above else "")
    node = None if text is None else parse(text, path, problems)
    if not isinstance(node, Mapping):
        if node is not None:
            problems.add(node.place, "", "a pipeline is a map: name, source, steps, sink")
        return None
    merged = node
    for name in reversed(_included(node)):
        inner = os.path.join(os.path.dirname(path), name.text)
        below = _with_includes(inner, name.place, problems, (*above, real))
        if isinstance(below, Mapping):
            merged = merge(merged, below)
    return merged


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
        problems.add(asked, where, f"{path} can not be read ({error.strerror})")
    except UnicodeDecodeError:
        problems.add(asked, where, f"{path} is not UTF-8 text")
    return None
