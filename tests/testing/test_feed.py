"""`feed` runs the whole engine on given rows; markers between them change no answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.errors import ConfigurationError, JobFailed
from raystream.testing import ADVANCE, CRASH, EOF, PAUSE, feed
from raystream.verify.evaluate import evaluate

Row = dict[str, Any]


def counting(**read: Any) -> rs.Pipeline:
    p = rs.Pipeline("requests-per-minute")
    lines = p.read(rs.Rows([]), event_time="ts", name="requests", **read)
    windows = lines.key_by("ip").window(rs.tumbling("1m"))
    windows.agg(count=rs.count()).write(rs.Collect(), name="counts")
    return p


def requests(n: int) -> list[Row]:
    return [{"ts": second * 1000, "ip": "ab"[second % 2]} for second in range(n)]


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["window_start"], row["ip"], row["count"]))


def right(rows: list[Row]) -> list[Row]:
    return in_order(evaluate(counting().graph(), {"requests": rows})["counts"])


@pytest.mark.parametrize("parallelism", [1, 2])
def test_the_answer_is_that_of_other_code(parallelism: int) -> None:
    out = feed(counting(), {"requests": requests(200)}, parallelism=parallelism)
    assert in_order(out["counts"]) == right(requests(200))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 200), st.sampled_from([CRASH, PAUSE, ADVANCE("3s"), ADVANCE("25s")])
        ),
        max_size=6,
    )
)
def test_crashes_and_pauses_change_nothing(markers: list[tuple[int, Any]]) -> None:
    items: list[Any] = requests(200)
    for place, marker in sorted(markers, key=lambda each: -each[0]):
        items.insert(place, marker)
    assert in_order(feed(counting(), {"requests": items})["counts"]) == right(requests(200))


def test_each_process_may_have_its_own_parallelism() -> None:
    """The window of the second minute is open at the checkpoint, and has other owners then."""
    rows = requests(150)
    items = [*rows[:80], PAUSE, *rows[80:100], CRASH, *rows[100:120], CRASH, *rows[120:]]
    for widths in ([1, 4, 2], [3, 1]):
        out = feed(counting(), {"requests": items}, parallelism=widths)
        assert in_order(out["counts"]) == right(rows)


def test_after_eof_the_job_reads_on_and_rows_of_written_windows_are_late() -> None:
    rows = requests(120)
    out = feed(counting(), {"requests": [*rows[:60], EOF, rows[5], *rows[60:]]})
    assert in_order(out["counts"]) == right(rows)


def test_time_passes_between_rows() -> None:
    """Two sources; one speaks once and is idle then. Time alone lets the other's windows close."""
    p = rs.Pipeline("two")
    mark = rs.Watermark(out_of_orderness="0s", idle_timeout="30s")
    left = p.read(rs.Rows([]), event_time="ts", name="left", watermark=mark)
    right = p.read(rs.Rows([]), event_time="ts", name="right", watermark=mark)
    keyed = left.union(right).key_by("ip")
    early = keyed.window(rs.tumbling("1m"), emit=rs.early("1s"))
    early.agg(count=rs.count()).write(rs.Collect(), name="counts")
    rows = {"left": [*requests(3), ADVANCE("2s")], "right": [{"ts": 0, "ip": "c"}]}
    counts = feed(p, rows)["counts"]
    assert {row["final"] for row in counts} == {True, False}
    assert sorted(row["ip"] for row in counts if row["final"]) == ["a", "b", "c"]


def test_poison_fails_the_job_with_its_place() -> None:
    rows = [*requests(3), {"ts": "never", "ip": "a"}]
    p = counting(schema={"ts": "int", "ip": "string"})
    with pytest.raises(JobFailed, match="requests, item 3: .*'never' is not Int64"):
        feed(p, {"requests": rows})


def test_a_source_that_is_not_there_and_one_without_rows_are_named() -> None:
    with pytest.raises(ConfigurationError, match="no source 'reqests'; there are: requests"):
        feed(counting(), {"reqests": []})
    with pytest.raises(ConfigurationError, match="no rows for source 'requests'"):
        feed(counting(), {})


def test_topics_name_sources_and_sinks() -> None:
    kafka = rs.Kafka("nobody:1")
    p = rs.Pipeline("copy")
    p.read(kafka.topic("requests"), event_time="ts").filter("ts >= 2000").write(
        kafka.topic("late-ones")
    )
    assert feed(p, {"requests": requests(3)}) == {"late-ones": [{"ts": 2000, "ip": "a"}]}


def test_two_writes_to_one_topic_come_together() -> None:
    p = rs.Pipeline("two-writes")
    kafka = rs.Kafka("nowhere:9092")
    rows = p.read(kafka.topic("in"), schema={"n": int})
    rows.filter("n > 1").write(kafka.topic("out"))
    rows.filter("n <= 1").write(kafka.topic("out"))
    out = feed(p, {"in": [{"n": 1}, {"n": 2}, {"n": 3}]})
    assert sorted(row["n"] for row in out["out"]) == [1, 2, 3]


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_source_that_ended_closes_no_window_of_one_that_is_idle(parallelism: int) -> None:
    """The subtask without a split, and the other source, have ended; the first is idle for 40 s."""
    p = rs.Pipeline("ended")
    left = p.read(rs.Rows([]), event_time="ts", name="left")
    right = p.read(rs.Rows([]), event_time="ts", name="right")
    counts = left.union(right).key_by("ip").window(rs.tumbling("1m")).agg(count=rs.count())
    counts.write(rs.Collect(), name="counts")
    rows = {"left": [*requests(60), ADVANCE("40s"), *requests(120)[60:]], "right": requests(1)}
    out = feed(p, rows, parallelism=parallelism)["counts"]
    assert sum(row["count"] for row in out) == 121
