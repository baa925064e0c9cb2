"""`tests:` of a file: rows in, rows out, and `--fix`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from raystream.config.templates import SINKS, SOURCES, template
from raystream.errors import ConfigurationError
from raystream.testing.cases import compare, fix_cases, flow, run_cases
from tests.config.corpus import CONFIGS

FILE = """\
name: job
params: {size: 1m}
sources:
  in:
    kafka: {bootstrap_servers: nowhere:1, topic: t}
    schema: {ts: int, ip: string, n: int}
    event_time: ts
    errors: {policy: dlq, to: dead}
steps:
  - name: per-ip
    key_by: ip
    window: {tumbling: "${param:size}"}
    aggregate: {count: count(), total: sum(n)}
    having: count > 1
    late: late-rows
sinks:
  out: {kafka: {bootstrap_servers: nowhere:1, topic: out}}
  late-rows: {kafka: {bootstrap_servers: nowhere:1, topic: late}}
  dead: {kafka: {bootstrap_servers: nowhere:1, topic: dead}}
tests:
"""
GIVEN = """\
    given:
      in:
        - {ts: 1000, ip: a, n: 1}
        - {ts: 61000, ip: a, n: 2}
        - {ts: 62000, ip: "no", n: 5}
        - {ts: 63000, ip: "no", n: 6}
        - {ts: 64000, ip: b, n: wrong}
"""
GOOD = """\
    expect:
      out: [{ip: "no", count: 2}]
      late-rows: []
"""


def case(tmp_path: Path, text: str) -> str:
    path = tmp_path / "job.yaml"
    path.write_text(FILE + text)
    return str(path)


def test_a_test_that_passes(tmp_path: Path) -> None:
    (result,) = run_cases(case(tmp_path, f"  - name: one\n{GIVEN}{GOOD}"))
    assert result.lines() == ["ok  one"]
    assert result.sinks["out"].rows[0]["total"] == 11


def test_parameters_of_a_test(tmp_path: Path) -> None:
    wider = (
        "    params: {size: 2m}\n    expect: {out: [{ip: a, count: 2}, {ip: 'no', total: 11}]}\n"
    )
    (result,) = run_cases(case(tmp_path, f"  - name: one\n{GIVEN}{wider}"))
    assert result.passed


def test_dead_letters_are_a_sink_like_others(tmp_path: Path) -> None:
    text = f"  - name: one\n{GIVEN}    expect: {{dead: [{{nothing: 1}}]}}\n"
    (result,) = run_cases(case(tmp_path, text))
    (row,) = result.sinks["dead"].rows
    assert "wrong" in str(row)


def test_a_test_that_fails_says_what_came(tmp_path: Path) -> None:
    text = f"  - name: one\n{GIVEN}    expect: {{out: [{{ip: x, count: 2}}]}}\n"
    (result,) = run_cases(case(tmp_path, text))
    first, *rest = result.lines()
    assert first.startswith("FAILED  one  (")
    assert first.endswith("job.yaml:21:5)")
    assert rest == [
        "  out: missing    {ip: x, count: 2}",
        '  out: unexpected {ip: "no", window_start: 60000, '
        "window_end: 120000, count: 2, total: 11}",
    ]


BROKEN = {
    "block": """\
    expect:
      out:
        - {ip: x}   # gone
      late-rows:
        - {a: 1}
""",
    "flow": "    expect: {out: [{ip: x}], late-rows: [{a: 1}]}  # stays\n",
    "none": "",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_fix_writes_what_came_and_nothing_else(tmp_path: Path, broken: str) -> None:
    before = f"  - name: zero  # kept\n{GIVEN}{GOOD}\n"
    after = f"  - name: two\n{GIVEN}{GOOD}"
    path = case(tmp_path, f"{before}  - name: one\n{GIVEN}{BROKEN[broken]}\n{after}")
    results = run_cases(path)
    assert [result.passed for result in results] == [True, False, True]
    assert fix_cases(path, results) == 1
    text = Path(path).read_text()
    assert text.startswith(FILE + before)
    assert text.endswith(after)
    assert all(result.passed for result in run_cases(path))
    assert fix_cases(path, run_cases(path)) == 0
    assert Path(path).read_text() == text


def test_fix_of_a_test_written_in_one_line(tmp_path: Path) -> None:
    line = "  - {name: one, given: {in: [{ts: 1, ip: a, n: 1}]}, expect: {out: [{ip: b}]}}\n"
    path = case(tmp_path, line)
    fix_cases(path, run_cases(path))
    assert Path(path).read_text() == FILE + line.replace("[{ip: b}]", "[]")


def test_the_small_form_calls_them_source_and_sink(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    small = (CONFIGS / "requests_per_minute.yaml").read_text()
    path.write_text(
        f"{small}tests:\n  - name: one\n"
        "    given: {source: [{ts: 1, ip: a}, {ts: 2, ip: a}]}\n"
        "    expect: {sink: [{ip: a, window_start: 0, window_end: 60000, count: 2}]}\n"
    )
    (result,) = run_cases(str(path))
    assert result.passed


def test_without_tests(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there are no tests in it"):
        run_cases(str(CONFIGS / "requests_per_minute.yaml"))


@pytest.mark.parametrize("name", ["campaign_effect", "order_totals"])
def test_those_of_the_examples(name: str) -> None:
    results = run_cases(str(CONFIGS / f"{name}.yaml"))
    assert [result.lines() for result in results if not result.passed] == []


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("sink", SINKS)
def test_those_of_the_templates(tmp_path: Path, source: str, sink: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(template(f"{source}/{sink}"))
    assert all(result.passed for result in run_cases(str(path)))


def test_rows_are_matched_in_the_best_way() -> None:
    """The wide expectation must not take the only row that the narrow one fits."""
    found = compare([{"a": 1}, {"a": 1, "b": 2}], [{"a": 1, "b": 2}, {"a": 1, "b": 3}])
    assert (found.missing, found.unexpected) == ((), ())
    found = compare([{"a": 1}, {"a": 1}], [{"a": 1, "b": 2}])
    assert (found.missing, found.unexpected) == (({"a": 1},), ())
    assert compare([{"x": 0.3}], [{"x": 0.1 + 0.2}]).missing == ()
    assert compare([{"x": True}], [{"x": 1}]).missing == ({"x": True},)
    assert compare([{"x": None}], [{"y": None}]).missing == ({"x": None},)


@pytest.mark.parametrize(
    "row",
    [{"no": "yes", "a b": "1:30", "n": "1", "u": "é\n", "x": None, "f": 1.5, "l": [1, {"a": "{"}]}],
)
def test_rows_written_are_read_back(row: dict[str, object]) -> None:
    assert yaml.safe_load(flow(row)) == row
