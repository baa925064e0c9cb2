"""The lines of the live view."""

from __future__ import annotations

from dataclasses import replace

from raystream.observe.histogram import HistogramStatus
from raystream.observe.live_lines import live_lines
from raystream.observe.status import SplitStatus, StatusDocument
from tests.observe.example import NOON, document, step


def plain(status: StatusDocument, before: StatusDocument | None = None) -> list[str]:
    return ["".join(text for text, _ in line) for line in live_lines(status, before)]


def test_everything_that_is_asked_of_a_running_job_is_in_it() -> None:
    assert plain(document(30_000, 12.0), document(10_000, 10.0)) == [
        "● sale  running  up 12 s  attempt 3  exactly once",
        "  read         30.0 k rows   10.0 k/s   700.0 kB/s",
        "  written      7 rows   0/s",
        "  lag          read  1.5 k rows, 12 s",
        "  event time   11:53:20   held back by requests/3   1 idle",
        "  checkpoint   9   took 350 ms   123.0 kB   3 s ago   1 failed",
        "  transactions 1 open   oldest 9.8 s of 15 min 0 s",
        "  dropped      late 4   dead letters 2",
        "  resumed      from checkpoint 1",
        "  restarts     2   count[1] failed: KeyError: 'ip'",
        "! count is the slowest step (busy 90 %, 2 of 2 subtasks are full); read waits for it",
        "! watermark waits: partition requests/3 idle at 11:53:20, nothing new for 40 s",
    ]


def test_many_sources_are_cut_to_those_that_lag_most() -> None:
    names = [f"s{n}" for n in range(9)]
    status = document(
        steps=tuple(step(name, name, is_source=1) for name in names),
        splits=tuple(SplitStatus(f"{n}/0", n, 0, 10 * i, None, 5) for i, n in enumerate(names)),
    )
    lines = plain(status)
    assert lines[3:8] == [
        "  lag          s8  80 rows",
        "               s7  70 rows",
        "               s6  60 rows",
        "               s5  50 rows",
        "               and 5 more sources",
    ]
    assert len(lines) <= 20


def test_a_job_that_has_just_read_all_has_no_bottleneck() -> None:
    at_end = SplitStatus("requests/0", "read", 0, 0, None, 5)
    status = replace(document(30_000, 12.0, splits=(at_end,)), culprits=())
    bottlenecks = [line for line in plain(status) if line.startswith("! ")]
    assert bottlenecks == ["! waiting for data: partition requests/0 has been read to the end"]
    assert not any(line.startswith("! ") for line in plain(status, document(10_000, 10.0)))


def test_what_is_not_there_takes_no_line() -> None:
    assert plain(StatusDocument("sale", "running", uptime_s=3)) == [
        "● sale  running  up 3 s",
        "  read         0 rows",
        "  written      0 rows",
        "  checkpoint   none yet",
    ]


def test_a_silent_topic_is_told_with_the_time_since_which_it_is_silent() -> None:
    from raystream.observe.live_line import live_line

    quiet = SplitStatus("requests/0", lag_rows=0, watermark_ms=NOON, quiet_seconds=70.0)
    now = document(splits=(quiet,), culprits=(), at_ms=NOON + 80_000, restart_count=0, restarts=())
    said = "waiting for data since 12:00:10: partition requests/0 has been read to the end"
    assert f"! {said}" in ["".join(text for text, _ in line) for line in live_lines(now)]
    assert "  waiting for data since 12:00:10" in live_line(now)


def test_the_latency_of_each_sink_is_told_but_not_that_of_a_replay() -> None:
    near = HistogramStatus("write", 10, 9.0, 0.5, 1.4, {"1": 10})
    old = HistogramStatus("copy", 10, 1e10, 1e9, None, {"+Inf": 10})
    lines = live_lines(StatusDocument("sale", "running", latencies=(old, near)))
    told = ["".join(text for text, _ in line) for line in lines]
    assert [line for line in told if "99 %" in line] == [
        "  latency      write  half 500 ms   99 % 1.4 s"
    ]


def test_each_source_says_whether_it_is_read_natively() -> None:
    splits = tuple(
        SplitStatus(f"{step}/{n}", step=step, native_reader=state)
        for step, state in (("read", "on"), ("prices", "it is not built"), ("rows", ""))
        for n in range(2)
    )
    told = plain(StatusDocument("sale", "running", splits=splits))
    assert [line for line in told if "native" in line] == [
        "  native       prices  native reader: it is not built",
        "               read  native reader: on",
    ]
