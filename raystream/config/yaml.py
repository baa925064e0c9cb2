"""YAML text -> nodes that know where they are written; no tags, no objects, no bombs.

Nodes are made from the parser's events, so that depth, aliases and duplicate keys are looked at
before anything grows, and an alias has its own place (as measured, compose gives the anchor's).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from raystream.config.place import Place, Problems
from raystream.config.scalars import Plain, plain_value, trap

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 50_000
MAX_ALIASES = 100


@dataclass(frozen=True, slots=True, repr=False)
class Scalar:
    """One value as it is written.

    Args:
        text: Its text, without quotes.
        place: Where it begins (the quote, if there is one).
        end: Behind its last character.
        plain: Not quoted and no block: may be a number, a truth value, null.
        inside: Where its first character of text is, if source and text agree; else None.
        interpolated: Holds, or held, `${..}`.
        secret: Holds what must never be shown.
        reference: For a secret: how it can be found again, `env:NAME` or `file:/path`.
        trapped: Refused already.
    """

    text: str
    place: Place
    end: Place
    plain: bool = True
    inside: Place | None = None
    interpolated: bool = False
    secret: bool = False
    reference: str = ""
    trapped: bool = False

    def __repr__(self) -> str:
        """Text and place, never a secret."""
        return f"Scalar({self.shown()}, {self.place})"

    @property
    def value(self) -> Plain:
        """What it means by itself."""
        return plain_value(self.text) if self.plain else self.text

    def shown(self) -> str:
        """For messages: never a secret, never long."""
        if self.secret:
            return "'***'"
        text = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return repr(text)

    def at(self, offset: int) -> Place:
        """Place of the character at `offset` of the text; of the scalar, if that is not known."""
        if self.inside is None or offset > len(self.text):
            return self.place
        return replace(self.inside, column=self.inside.column + offset)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    place: Place
    end: Place
    flow: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """A map: pairs of key and value in the order of the file; keys are unique."""

    items: tuple[tuple[Scalar, Node], ...]
    place: Place
    end: Place
    flow: bool = False

    def get(self, name: str) -> Node | None:
        """The value of a key."""
        return next((value for key, value in self.items if key.text == name), None)


Node = Scalar | Sequence | Mapping


def to_data(node: Node) -> Any:
    """The document without its places: dicts, lists, values."""
    if isinstance(node, Mapping):
        return {key.text: to_data(value) for key, value in node.items}
    if isinstance(node, Sequence):
        return [to_data(item) for item in node.items]
    return node.value


def parse(text: str, file: str, problems: Problems) -> Node | None:
    """The only document of a text; None if there is none or it could not be read.

    Args:
        text: The file.
        file: Its name, for places.
        problems: Takes what is wrong.
    """
    if len(text.encode()) > MAX_BYTES:
        problems.add(Place(file, 1, 1), "", "the file is longer than 1 MiB")
        return None
    return _Builder(text, file, problems).build()


class _TooMuch(Exception):
    """A limit was hit; it is among the problems already."""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come."""

    event: Any
    path: str
    anchor: str | None
    children: list[Node] = field(default_factory=list)

    @property
    def is_map(self) -> bool:
        return type(self.event).__name__ == "MappingStartEvent"


class _Builder:
    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self._text = text
        self._lines = text.splitlines()
        self._file = file
        self._problems = problems
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._aliases = 0
        self._roots: list[Node] = []

    def build(self) -> Node | None:
        import yaml

        open_: list[_Open] = []
        try:
            for event in self._events():
                self._take(event, open_)
        except yaml.MarkedYAMLError as error:
            self._unreadable(error)
            return None
        except yaml.YAMLError as error:
            self._problems.add(
                Place(self._file, 1, 1), "", f"not YAML: {str(error).split(chr(10))[0]}"
            )
            return None
        except _TooMuch:
            return None
        if not self._roots:
            self._problems.add(Place(self._file, 1, 1), "", "the file is empty")
            return None
        return self._roots[0]

    def _events(self) -> Iterator[Any]:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return iter(yaml.parse(self._text, Loader=loader))

    def _take(self, event: Any, open_: list[_Open]) -> None:
        kind = type(event).__name__
        if kind == "DocumentStartEvent" and self._roots:
            self._stop(self._place(event.start_mark), "a second document; write one per file")
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(open_) >= MAX_DEPTH:
                self._stop(self._place(event.start_mark), f"nested deeper than {MAX_DEPTH}")
            open_.append(_Open(event, "", event.anchor))
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            done = open_.pop()
            self._close(self._collection(done, event), done.anchor, open_)
        elif kind == "ScalarEvent":
            self._close(self._scalar(event), event.anchor, open_)
        elif kind == "AliasEvent":
            self._close(self._alias(event, len(open_)), None, open_)

    def _close(self, node: Node, anchor: str | None, open_: list[_Open]) -> None:
        self._count(1, node.place)
        if anchor is not None:
            self._anchors[anchor] = node
        if open_:
            open_[-1].children.append(node)
        else:
            self._roots.append(node)

    def _count(self, more: int, place: Place) -> None:
        self._nodes += more
        if self._nodes > MAX_NODES:
            self._stop(place, f"more than {MAX_NODES} values, with aliases written out")

    def _alias(self, event: Any, depth: int) -> Node:
        place = self._place(event.start_mark)
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._stop(place, f"more than {MAX_ALIASES} aliases")
        if event.anchor not in self._anchors:
            self._stop(place, f"alias *{event.anchor} names no anchor above it")
        node = self._anchors[event.anchor]
        if depth + _height(node) > MAX_DEPTH:
            self._stop(place, f"nested deeper than {MAX_DEPTH}, with aliases written out")
        self._count(_size(node), place)
        return replace(node, place=place)

    def _collection(self, done: _Open, event: Any) -> Node:
        place, flow = self._place(done.event.start_mark), bool(done.event.flow_style)
        if self._has_tag(done.event) or (done.is_map and self._has_merge(done.children[::2])):
            return _refused(place)
        end = self._place(event.end_mark)
        if not flow:
            end = done.children[-1].end if done.children else place
        if done.is_map:
            pairs = list(zip(done.children[::2], done.children[1::2], strict=True))
            return Mapping(tuple(self._unique(pairs, flow)), place, end, flow)
        items = [self._cut(n) if flow and _unclosed(n) else n for n in done.children]
        return Sequence(tuple(items), place, end, flow)

    def _unique(self, pairs: list[tuple[Node, Node]], flow: bool) -> list[tuple[Scalar, Node]]:
        seen: dict[str, Scalar] = {}
        found: list[tuple[Scalar, Node]] = []
        for key, value in pairs:
            if not isinstance(key, Scalar):
                self._problems.add(
                    key.place, "", "a key must be text; quote what begins with { or ["
                )
                continue
            if flow and found and _empty(value) and _unclosed(found[-1][1]):
                found[-1] = (found[-1][0], self._cut(found[-1][1]))
            elif key.text in seen:
                first = seen[key.text].place
                self._problems.add(
                    key.place, "", f"key {key.text!r} is there already, on line {first.line}"
                )
            else:
                seen[key.text] = key
                found.append((key, value))
        return found

    def _cut(self, node: Node) -> Scalar:
        """Refuse a scalar that the parser cut at a comma inside its brackets."""
        assert isinstance(node, Scalar)
        text = f"{node.shown()} ends at the comma; quote it, or write it without {{ }} and [ ]"
        self._problems.add(node.place, "", text)
        return replace(node, trapped=True)

    def _scalar(self, event: Any) -> Scalar:
        place, plain = self._place(event.start_mark), event.style in (None, "")
        if self._has_tag(event):
            return _refused(place)
        reason = trap(event.value) if plain else None
        if reason is not None:
            self._problems.add(place, "", reason)
        return Scalar(
            event.value,
            place,
            self._place(event.end_mark),
            plain,
            self._inside(event.value, place, event.style),
            trapped=reason is not None,
        )

    def _inside(self, text: str, place: Place, style: str | None) -> Place | None:
        """Where the text begins, if it stands in one line of the source as it is."""
        line, column = place.line, place.column
        if style in ("'", '"'):
            column += 1
        if style in ("|", ">"):
            text, line = text.rstrip("\n"), line + 1
            source = self._lines[line - 1] if line <= len(self._lines) else ""
            column = len(source) - len(source.lstrip()) + 1
        source = self._lines[line - 1] if line <= len(self._lines) else ""
        return Place(self._file, line, column) if source[column - 1 :].startswith(text) else None

    def _has_tag(self, event: Any) -> bool:
        if event.tag is None or event.tag == "!":
            return False
        place = self._place(event.start_mark)
        self._problems.add(place, "", f"tag {event.tag!r}: tags are not allowed")
        return True

    def _has_merge(self, keys: list[Node]) -> bool:
        merge = [k for k in keys if isinstance(k, Scalar) and k.plain and k.text == "<<"]
        for key in merge:
            advice = "merge keys are not supported; use include: or connections:"
            self._problems.add(key.place, "", advice)
        return bool(merge)

    def _unreadable(self, error: Any) -> None:
        mark = error.problem_mark or error.context_mark
        place = self._place(mark) if mark is not None else Place(self._file, 1, 1)
        self._problems.add(*self._explained(place, str(error.problem or error.context)))

    def _explained(self, place: Place, problem: str) -> tuple[Place, str, str]:
        line = self._lines[place.line - 1] if place.line <= len(self._lines) else ""
        found = re.search(r"(?<![\"'\w$])\$\{[^}]*\}?", line)
        if found and re.search(r"[{\[]", line[: found.start()]):
            here = replace(place, column=found.start() + 1)
            text = f"quote it inside {{ }} and [ ]: {chr(34)}{found[0]}{chr(34)}"
            return here, "", f"unquoted {found[0]}; {text}"
        if "\t" in line[: place.column]:
            return place, "", "a tab; indent with spaces"
        return place, "", f"not YAML: {problem}"

    def _place(self, mark: Any) -> Place:
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _stop(self, place: Place, message: str) -> None:
        self._problems.add(place, "", message)
        raise _TooMuch


def _refused(place: Place) -> Scalar:
    """In the place of what was refused already."""
    return Scalar("", place, place, trapped=True)


def _children(node: Node) -> list[Node]:
    if isinstance(node, Mapping):
        return [value for _, value in node.items]
    return list(node.items) if isinstance(node, Sequence) else []


def _size(node: Node) -> int:
    return 1 + sum(_size(child) for child in _children(node))


def _height(node: Node) -> int:
    return 1 + max((_height(child) for child in _children(node)), default=0)


def _empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and node.text == ""


def _unclosed(node: Node) -> bool:
    """Whether a plain scalar opens a bracket that it does not close."""
    return isinstance(node, Scalar) and node.plain and node.text.count("(") > node.text.count(")")
