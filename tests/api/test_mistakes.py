"""Every mistake is one message: the user's line, what is wrong, what was meant."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import raystream as rs
from raystream.errors import ConfigurationError

HEAD = """\
import raystream as rs
p = rs.Pipeline("job")
kafka = rs.Kafka("kafka:9092")
schema = {"ts": int, "ip": str, "status": int}
rows = p.read(kafka.topic("requests"), event_time="ts", schema=schema)
counts = rows.key_by("ip").window(rs.tumbling("1m")).agg(count=rs.count())
"""
LINE = HEAD.count("\n") + 1

MISTAKES = {
    'rows.with_columns(rs.col("status") * 2)': (
        "with_columns takes columns by name, not Expr; "
        'write .with_columns(total="price * quantity")'
    ),
    'rows.window(rs.tumbling("1m")).agg(rs.count())': (
        "agg takes columns by name, not Aggregate; write .agg(n=rs.count())"
    ),
    'rows.key_by("ipp")': "no column 'ipp'; did you mean 'ip'? columns: ts, ip, status",
    'rows.filter("stauts >= 400")': (
        "no column 'stauts', at character 1 of \"stauts >= 400\"; "
        "did you mean 'status'? columns: ts, ip, status"
    ),
    'rows.filter(rs.col("stauts") > 1)': (
        "no column 'stauts'; did you mean 'status'? columns: ts, ip, status"
    ),
    'rows.select("ip", "stats")': (
        "no column 'stats'; did you mean 'status'? columns: ts, ip, status"
    ),
    'rows.drop("x")': "no column 'x'; columns: ts, ip, status",
    'rows.with_columns(bad="status >=")': (
        'with_columns(bad=): something is missing at the end, at character 10 of "status >="; '
        "a value is expected"
    ),
    'counts.filter("counts > 1")': (
        "no column 'counts', at character 1 of \"counts > 1\"; "
        "did you mean 'count'? columns: ip, window_start, window_end, count"
    ),
    'rows.with_columns(total="sum(status)")': (
        "with_columns(total=): sum() is over many rows; it belongs to an aggregate step, "
        'at character 1 of "sum(status)"'
    ),
    'rows.window(rs.tumbling("1m")).agg(n=rs.max("order"))': (
        "no column 'order'; columns: ts, ip, status"
    ),
    'rows.write(kafka.topic("b", key="ipp"))\np.explain()': (
        "the rows to write have no column 'ipp'; columns: ts, ip, status"
    ),
    'rows.write(kafka.topic("b", timestamp="ip"))\np.explain()': (
        "timestamp: column 'ip' is String, not whole epoch milliseconds; "
        "name a column of epoch milliseconds"
    ),
    'rows.write(kafka.topic("b", format="raw"))\np.explain()': (
        "format raw writes one column of bytes, not ts, ip, status; "
        "select one binary or string column"
    ),
    'rs.sum("stauts", were="x")': "sum: unknown option 'were'; did you mean 'where'?",
    "rows.filter(7)": (
        "filter takes SQL text or an rs.col expression, not int; "
        "for example \"status >= 400\" or rs.col('status') >= 400"
    ),
    "rows.map(7)": "map takes a function, not 7; write .map(lambda row: ..)",
    "rows.select()": 'select needs a column; write .select("name")',
    'rows.window("1m")': (
        "window takes a window, not '1m'; "
        'write rs.tumbling("1m"), rs.hopping(..), rs.cumulative(..), rs.session(..), '
        "rs.count_window(..), rs.global_window(..)"
    ),
    'rows.window(rs.tumbling("1m"), grace="5s")': (
        "window: unknown option 'grace'; it is allowed_lateness, in .window(.., allowed_lateness=)"
    ),
    'rows.window(rs.tumbling("1m"), allowed_lateness="soon")': (
        "allowed_lateness: 'soon' is not a duration; for example 10s, 5m, 250ms"
    ),
    'rows.window(rs.tumbling("1m"), emit="on_clse")': (
        "emit 'on_clse' is unknown; did you mean 'on_close'?"
    ),
    'rows.window(rs.tumbling("1m")).agg()': (
        "agg needs an output column; write .agg(count=rs.count())"
    ),
    'rows.window(rs.tumbling("1m")).agg(name="x")': (
        "agg(name=) takes an aggregate, not 'x'; "
        "the keywords of agg are output columns; write .window(.., name=..)"
    ),
    'rows.key_by("ip").window(rs.tumbling("1m")).agg(ip=rs.count())': (
        "agg: the output has a column 'ip' already; give the aggregate another name"
    ),
    'rs.tumbling("1x")': "size: '1x' is not a duration; for example 10s, 5m, 250ms",
    'rs.tumbling("0s")': "size must be more than 0",
    'rs.tumbling("0.4ms")': "size: 0.4ms is not a whole number of milliseconds; for example "
    "1s, 5m, 250ms",
    'rs.tumbling("200000000000d")': "size: 200000000000d is longer than the 9999 years that event "
    "time has; write a shorter duration",
    'rs.hopping("9" * 400 + "d", "1d")': f"size: {'9' * 37}... is longer than the 9999 years that "
    "event time has; write a shorter duration",
    'rs.tumbling("1m", offset="99999999999h")': "offset: 99999999999h is longer than the 9999 "
    "years that event time has; write a shorter duration",
    'rows.window(rs.tumbling("1m"), allowed_lateness="200000000000d")': "allowed_lateness: "
    "200000000000d is longer than the 9999 years that event time has; write a shorter duration",
    'rs.Watermark(out_of_orderness="200000000000d")': "out_of_orderness: 200000000000d is longer "
    "than the 9999 years that event time has; write a shorter duration",
    'rs.hopping("365d", "1ms")': "hopping: each row would be in 31,536,000,000 windows; write a "
    "longer slide, or a shorter size",
    'rs.cumulative("1d", "7h")': "cumulative: max_size (86400000 ms) is not a multiple of step "
    "(25200000 ms)",
    'rs.tumbling("1d", time_zone="Europe/Berln")': "time_zone: 'Europe/Berln' is not a time zone; "
    "is it Europe/Berlin? write a name like Europe/Berlin or UTC",
    'rs.tumbling("1d", time_zone="../x")': "time_zone: '../x' is not a time zone; write a name "
    "like Europe/Berlin or UTC",
    'rs.tumbling("7h", time_zone="Europe/Berlin")': "size: with a time_zone it is whole days or "
    "divides a day; for example 7d, 1d, 6h, 15m",
    'rs.hopping("1d", "1h", time_zone="Europe/Berlin")': "hopping: with a time_zone windows hop by "
    "whole days; for example slide 1d, or leave out time_zone",
    'rs.cumulative("12h", "1h", time_zone="UTC")': "cumulative: with a time_zone the longest "
    "window is of whole days; for example max_size 1d, or leave out time_zone",
    'rs.hopping("10m", "3m")': ("hopping: size (600000 ms) is not a multiple of slide (180000 ms)"),
    'rs.Watermark(watermark_delay="5s")': (
        "Watermark: unknown option 'watermark_delay'; "
        "it is out_of_orderness, in rs.Watermark(out_of_orderness=)"
    ),
    'rs.Watermark(idle_timeot="5s")': (
        "Watermark: unknown option 'idle_timeot'; did you mean 'idle_timeout'?"
    ),
    'rs.Pipeline("a b")': "'a b' is not a name for a pipeline; use 1 to 60 of A-Z a-z 0-9 _ -",
    'rs.Pipeline("a", delivery_guarantee="exactly-once")': (
        "delivery_guarantee 'exactly-once' is unknown; did you mean 'exactly_once'?"
    ),
    'rs.Pipeline("a", checkpoint_interval=10)': (
        "checkpoint_interval: 10 is not a duration; for example 10s, 5m, 250ms"
    ),
    'rs.Pipeline("a", checkpoint_intervall="1s")': (
        "Pipeline: unknown option 'checkpoint_intervall'; did you mean 'checkpoint_interval'?"
    ),
    'rs.Pipeline("a", parallelism=0)': (
        "parallelism 0 is not a number of subtasks; write 1 or more, or leave it out"
    ),
    'p.read("requests")': (
        "read takes a source, not 'requests'; for example kafka.topic('requests')"
    ),
    'p.read(kafka.topic("a"), event_tme="ts")': (
        "read: unknown option 'event_tme'; did you mean 'event_time'?"
    ),
    'p.read(kafka.topic("a"), event_time="tss", schema={"ts": int})': (
        "event_time: no column 'tss'; did you mean 'ts'? columns: ts"
    ),
    'p.read(kafka.topic("a"), event_time="ts", schema={"ts": str})': (
        "event_time: column 'ts' is String, not whole epoch milliseconds; "
        "name a column of epoch milliseconds, or pass event_time_unit='iso8601'"
    ),
    'p.read(kafka.topic("a"), errors="drop")': ("errors 'drop' is unknown; one of fail, skip, dlq"),
    'p.read(kafka.topic("a"), watermark="10s")': (
        "watermark takes rs.Watermark(..), not '10s'; write rs.Watermark(out_of_orderness=\"10s\")"
    ),
    "rows.errors": (
        'nothing comes out of .errors: the policy is fail; write p.read(.., errors="dlq")'
    ),
    "rows.late": (
        "only a stream made by .window(..).agg(..), .over(..).agg(..) or .join(..) has .late; "
        "write counts = rows.window(..).agg(..), then counts.late.write(..)"
    ),
    'counts.select("ip").late': (
        "only a stream made by .window(..).agg(..), .over(..).agg(..) or .join(..) has .late; "
        "write counts = rows.window(..).agg(..), then counts.late.write(..)"
    ),
    'rows.filter("status > 1", name="a b")': (
        "'a b' is not a name for a step; use 1 to 60 of A-Z a-z 0-9 _ -"
    ),
}


def message(tmp_path: Path, code: str) -> str:
    path = tmp_path / "job.py"
    path.write_text(HEAD + code + "\n")
    with pytest.raises(ConfigurationError) as caught:
        runpy.run_path(str(path))
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("code", MISTAKES)
def test_message(tmp_path: Path, code: str) -> None:
    assert message(tmp_path, code) == f"job.py:{LINE}: {MISTAKES[code]}"


def test_the_line_is_that_of_the_verb_inside_a_chain(tmp_path: Path) -> None:
    code = '(rows.filter("status > 1")\n  .key_by("ip")\n  .select("nope"))'
    assert message(tmp_path, code).startswith(f"job.py:{LINE + 2}: no column 'nope'")


def test_a_name_given_twice_shows_both_lines(tmp_path: Path) -> None:
    code = 'rows.filter("status > 1", name="x")\nrows.filter("status > 2", name="x")'
    found = message(tmp_path, code).replace(str(tmp_path), "")
    assert found == (
        f"job.py:{LINE + 1}: two steps are called 'x'; the other is at job.py:{LINE}; "
        "a name is the identity of a step in checkpoints: give another one"
    )


def test_dead_letters_must_go_somewhere(tmp_path: Path) -> None:
    code = 'p.read(kafka.topic("a"), errors="dlq", name="a").write(kafka.topic("b"))\np.explain()'
    assert message(tmp_path, code) == (
        f"job.py:{LINE}: read 'a' has errors=\"dlq\", but its .errors go nowhere; "
        "write rows = p.read(..), then rows.errors.write(..)"
    )


def test_a_pipeline_without_output_is_refused(tmp_path: Path) -> None:
    assert message(tmp_path, "p.explain()") == (
        "pipeline 'job' writes nothing; end it with .write(..)"
    )


def test_words_of_other_systems_are_translated() -> None:
    with pytest.raises(AttributeError, match=r"no 'sliding'; it is rs\.hopping"):
        _ = rs.sliding
    with pytest.raises(AttributeError, match=r"no 'tumblin'; did you mean 'tumbling'\?"):
        _ = rs.tumblin
    stream = rs.Pipeline("p").read(rs.Rows([{"a": 1}]))
    with pytest.raises(AttributeError, match=r"a stream has no 'groupby'; it is \.key_by"):
        stream.groupby("a")
    with pytest.raises(AttributeError, match=r"no 'key_bye'; did you mean 'key_by'\?"):
        stream.key_bye("a")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("cross_join", "a stream has no 'cross_join'; joins without a key are not in this version"),
        ("sort", "a stream has no 'sort'; sorting is not in this version"),
    ],
)
def test_what_is_not_there_yet_is_told_so(word: str, said: str) -> None:
    rows = rs.Pipeline("words").read(rs.Rows([]))
    with pytest.raises(AttributeError, match=said):
        getattr(rows, word)


def test_what_the_package_does_not_have_yet_is_told_so() -> None:
    with pytest.raises(AttributeError, match="raystream has no 'histogram'; this aggregate is not"):
        rs.histogram("n")  # type: ignore[attr-defined]
