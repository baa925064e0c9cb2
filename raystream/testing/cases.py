"""`tests:` of a pipeline file: rows in, rows out, on the real engine; `--fix` rewrites them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raystream.config.check import Value
from raystream.config.load import Loading, load
from raystream.config.place import Place
from raystream.config.scalars import plain_value, trap
from raystream.config.yaml import Mapping as MappingNode
from raystream.errors import ConfigurationError
from raystream.testing.feed import feed

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SinkResult:
    """What one sink got.

    Args:
        rows: All of them.
        missing: Expected rows that did not come.
        unexpected: Rows that nobody expected.
    """

    rows: tuple[Row, ...]
    missing: tuple[Row, ...]
    unexpected: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one test ended.

    Args:
        name: Of the test.
        place: Where it is written.
        sinks: By name in the file: those that something is expected of.
    """

    name: str
    place: Place
    sinks: Mapping[str, SinkResult]

    @property
    def passed(self) -> bool:
        """Whether every sink got exactly what was expected."""
        return not any(sink.missing or sink.unexpected for sink in self.sinks.values())

    def lines(self) -> list[str]:
        """For people."""
        found = [f"{'ok' if self.passed else 'FAILED'}  {self.name}"]
        if self.passed:
            return found
        found[0] += f"  ({self.place})"
        for name, sink in self.sinks.items():
            found += [f"  {name}: missing    {flow(row)}" for row in sink.missing]
            found += [f"  {name}: unexpected {flow(row)}" for row in sink.unexpected]
        return found


def run_cases(path: str, params: Mapping[str, str] | None = None) -> list[CaseResult]:
    """Run every test of a file.

    Args:
        path: Of the file.
        params: Over those of the file; those of a test are over these.

    Raises:
        InvalidFile: the file is wrong.
        ConfigurationError: there are no tests.
        JobFailed: the job failed on the rows of a test.
    """
    document = load(path, Loading(params or {})).document
    tests = document.get("tests")
    if tests is None:
        text = "there are no tests in it"
        raise ConfigurationError(text, path, "write tests: [{name: .., given: .., expect: ..}]")
    return [_run(path, number, params or {}) for number in range(len(tests.data))]


def _run(path: str, number: int, params: Mapping[str, str]) -> CaseResult:
    test = _test(load(path, Loading(params)).document, number)
    own = test.get("params")
    given = {n: v.node.text for n, v in own.data.items()} if own is not None else {}
    compiled = load(path, Loading({**params, **given}))
    test = _test(compiled.document, number)
    rows = test["given"].plain()
    fed = feed(compiled.pipeline, {n: rows.get(s, []) for s, n in compiled.sources.items()})
    found = {sink: _rows(fed, node, compiled.sinks) for sink, node in compiled.sinks.items()}
    expected = test.get("expect")
    wanted = expected.plain() if expected is not None else dict.fromkeys(found, [])
    sinks = {sink: compare(rows, found[sink]) for sink, rows in wanted.items()}
    return CaseResult(test["name"].data, test.place, sinks)


def _test(document: Value, number: int) -> Value:
    tests: list[Value] = document["tests"].data
    return tests[number]


def _rows(fed: Mapping[str, list[Row]], node: str, sinks: Mapping[str, str]) -> list[Row]:
    """Rows of a sink; one without a name of its own is fed under the name of its topic."""
    if node in fed:
        return fed[node]
    return next(rows for label, rows in fed.items() if label not in sinks.values())


def compare(expected: Sequence[Row], found: Sequence[Row]) -> SinkResult:
    """Match rows in any order; an expected row stands for one that has its fields.

    Args:
        expected: Rows, perhaps with fewer fields.
        found: Rows as written.

    >>> compare([{"n": 1}], [{"n": 1, "ip": "a"}]).missing
    ()
    """
    taken: dict[int, int] = {}  # found -> expected: augmenting paths of a bipartite matching
    missing = [
        row
        for number, row in enumerate(expected)
        if not _place(number, expected, found, taken, set())
    ]
    rest = [row for number, row in enumerate(found) if number not in taken]
    return SinkResult(tuple(found), tuple(missing), tuple(rest))


def _place(
    number: int,
    expected: Sequence[Row],
    found: Sequence[Row],
    taken: dict[int, int],
    tried: set[int],
) -> bool:
    for at, row in enumerate(found):
        if at in tried or not _fits(expected[number], row):
            continue
        tried.add(at)
        if at not in taken or _place(taken[at], expected, found, taken, tried):
            taken[at] = number
            return True
    return False


def _fits(expected: Row, row: Row) -> bool:
    return all(name in row and _equal(value, row[name]) for name, value in expected.items())


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(other, bytes):
        return bool(one == other.decode(errors="replace"))
    return bool(one == other)


# -- --fix -----------------------------------------------------------------------------------


def fix_cases(path: str, results: Sequence[CaseResult]) -> int:
    """Write what failed tests got into their `expect`, and nothing else; gives their number.

    Args:
        path: Of the file.
        results: Of `run_cases`, of this file as it is.

    Raises:
        ConfigurationError: a failed test is written in another file.
    """
    document = load(path).document
    lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    failed = [(n, result) for n, result in enumerate(results) if not result.passed]
    for number, result in reversed(failed):
        _fix(path, lines, _test(document, number), result)
    Path(path).write_text("".join(lines), encoding="utf-8")
    return len(failed)


def _fix(path: str, lines: list[str], test: Value, result: CaseResult) -> None:
    if test.place.file != path:
        text = f"test {result.name!r} is written in {test.place.file}"
        raise ConfigurationError(text, str(test.place), "fix it there")
    assert isinstance(test.node, MappingNode)
    rows = {name: sink.rows for name, sink in result.sinks.items()}
    pairs = {key.text: (key, value) for key, value in test.node.items}
    column = test.node.items[0][0].place.column
    text = _expect(rows, "" if test.node.flow else " " * (column - 1))
    if "expect" in pairs:
        key, value = pairs["expect"]
        _replace(lines, key.place, value.end, text)
    else:
        end = pairs["given"][1].end
        _replace(
            lines, end, end, f", {text}" if test.node.flow else f"\n{' ' * (column - 1)}{text}"
        )


def _expect(rows: Mapping[str, Sequence[Row]], indent: str) -> str:
    """`expect:` with its rows: below each other, or inside { } if the test is."""
    if not indent:
        inner = ", ".join(f"{name}: [{', '.join(map(flow, r))}]" for name, r in rows.items())
        return f"expect: {{{inner}}}"
    parts = ["expect:"]
    for name, written in rows.items():
        parts.append(f"{indent}  {name}:" if written else f"{indent}  {name}: []")
        parts += [f"{indent}    - {flow(row)}" for row in written]
    return "\n".join(parts)


def _replace(lines: list[str], start: Place, end: Place, text: str) -> None:
    before = lines[start.line - 1][: start.column - 1]
    after = lines[end.line - 1][end.column - 1 :]
    lines[start.line - 1 : end.line] = (before + text + after).splitlines(keepends=True)


def flow(value: Any) -> str:
    """A value as YAML inside one line.

    >>> flow({"ip": "a", "n": 1, "no": "no"})
    '{ip: a, n: 1, "no": "no"}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(k))}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, bytes):
        return json.dumps(value.decode(errors="replace"))
    return _text(value) if isinstance(value, str) else json.dumps(value, default=str)


def _text(text: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_/.][\w/.-]*", text)
    return text if plain and plain_value(text) == text and trap(text) is None else json.dumps(text)
