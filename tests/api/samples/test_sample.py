"""`show` and `collect`: what would enter the sinks, and nothing left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.errors import ConfigurationError

T = 1_700_000_040_000
ROWS = [{"ts": T + n * 1000, "ip": "ab"[n % 2]} for n in range(100)]


class Untouchable:
    """A sink that must not be used."""

    topics = ("counts",)

    def describe(self) -> str:
        return "kafka topic counts"

    def writer(self, *_: object) -> Any:
        raise AssertionError

    check = committer = writer


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where checkpoints would be; nothing may be there afterwards."""
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", str(tmp_path / "checkpoints"))
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


def counting(rows: Any = None, **options: Any) -> tuple[rs.Pipeline, Any, Any]:
    p = rs.Pipeline("job")
    source = rs.Rows(ROWS) if rows is None else rows
    requests = p.read(source, event_time="ts", **options)
    return p, requests, requests.key_by("ip").window(rs.tumbling("1m")).agg(n=rs.count())


def test_collect_gives_what_a_sink_would_get() -> None:
    p, _, counts = counting()
    counts.write(Untouchable())
    found = p.collect().sort("ip", "window_start")
    assert found.columns == ["ip", "window_start", "window_end", "n"]
    assert found["n"].to_list() == [30, 20, 30, 20]
    assert p.collect(2).height == 2


def test_a_stream_shows_what_flows_there() -> None:
    _, requests, counts = counting()
    assert requests.collect(3).to_dicts() == ROWS[:3]
    assert counts.collect()["n"].sum() == 100
    assert requests.filter("ip = 'c'").collect().schema == pl.Schema(
        {"ts": pl.Int64, "ip": pl.String}
    )


def test_side_outputs_can_be_seen() -> None:
    p = rs.Pipeline("job")
    rows = p.read(
        rs.Payloads([b'{"a": 1}', b"no json"]), schema={"a": int}, errors="dlq", name="in"
    )
    assert rows.collect().to_dicts() == [{"a": 1}]
    (letter,) = rows.errors.collect().to_dicts()
    assert letter["value"] == b"no json"


def test_each_sink_is_shown_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    p, requests, counts = counting()
    counts.write(Untouchable())
    requests.write(rs.Collect(), name="everything")
    p.show(2)
    said = capsys.readouterr().out
    assert "counts: the first 2 rows\n" in said
    assert "everything: the first 2 rows\n" in said
    assert said.count("nothing was written") == 1
    p.show(sink="counts")
    assert "counts: 4 rows\n" in capsys.readouterr().out


def test_several_sinks_must_be_told_apart() -> None:
    p, requests, counts = counting()
    counts.write(Untouchable())
    requests.write(rs.Collect(), name="everything")
    with pytest.raises(ConfigurationError, match=r"2 sinks: counts, everything; write p.collect\("):
        p.collect()
    with pytest.raises(ConfigurationError, match="no sink 'count'; did you mean 'counts'"):
        p.collect(sink="count")
    assert p.collect(sink="everything").height == 100


def test_rows_without_end_are_read_until_there_are_enough_or_the_time_is_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Datagen(rate=1000), event_time="ts")
    began = time.monotonic()
    assert rows.collect(50, timeout="1h").height == 50
    assert time.monotonic() - began < 60
    rows.window(rs.tumbling("1d")).agg(n=rs.count()).show(timeout="500ms")
    assert "1 row\n" in (said := capsys.readouterr().out)
    assert "its last windows may be partial" in said


def test_windows_over_all_there_is_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    counting()[2].show()
    assert "partial" not in capsys.readouterr().out


def test_an_empty_source_shows_no_rows(tmp_path: Path) -> None:
    p, _, counts = counting(rs.Rows([]))
    counts.write(Untouchable())
    assert p.collect().is_empty()
    _, _, declared = counting(rs.Rows([]), schema={"ts": int, "ip": str})
    assert declared.collect().columns == ["ip", "window_start", "window_end", "n"]


def test_a_function_that_fails_is_named() -> None:
    _, requests, _ = counting()
    with pytest.raises(ConfigurationError, match=r"test_sample\.py:\d+: .* KeyError: 'no'"):
        requests.map(lambda row: {"a": row["no"]}).collect()


def test_functions_that_tell_no_columns_can_be_seen() -> None:
    _, requests, _ = counting()
    mapped = requests.map(lambda row: {"who": row["ip"].upper()})
    assert mapped.collect(2).to_dicts() == [{"who": "A"}, {"who": "B"}]


def test_a_pipeline_without_sink_teaches() -> None:
    p, _, _ = counting()
    with pytest.raises(ConfigurationError, match=r"writes nothing yet; show a stream: rows.show"):
        p.show()


def test_wrong_numbers_are_refused() -> None:
    p, _, counts = counting()
    counts.write(Untouchable())
    with pytest.raises(
        ConfigurationError, match=r"limit 0 is not a number of rows; write 1 or more"
    ):
        p.collect(0)
    with pytest.raises(ConfigurationError, match="timeout: 'soon'"):
        p.collect(timeout="soon")


def test_an_error_has_no_frames_of_ours_but_one() -> None:
    p, _, _ = counting()
    with pytest.raises(ConfigurationError) as caught:
        p.show()
    assert len(caught.traceback) == 2
