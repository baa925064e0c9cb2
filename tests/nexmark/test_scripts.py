"""`scripts/nexmark` and its `--verify` say what is wrong with what they were given."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.nexmark.jobs import FILE
from tests.nexmark.verify import main, missing_events


def test_a_run_too_short_to_be_measured_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(FILE.parent)
    measure = import_module("measure")
    assert measure.main(["--events", "1000", "--queries", "q2"]) == 1
    told = capsys.readouterr()
    assert "| q2 | 920 | over before it was measured | |" in told.out
    assert "too few events for q2: give more --events" in told.err


def test_a_run_of_which_a_late_status_would_be_much_is_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(FILE.parent)
    measure = import_module("measure")
    looks = [(0.0, 1.0, 0), (0.5, 1.5, 1000), (1.5, 2.5, 9000), (2.4, 3.5, 9000)]
    assert measure.Meter(seen=looks).result(9000) is None
    longer = measure.Meter(seen=[*looks[:2], (4.5, 5.5, 9000)])
    assert longer.result(9000) == (2000.0, 500.0)


def test_a_directory_without_events_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bid.jsonl").write_text("")
    assert missing_events(tmp_path) == ["person.jsonl", "auction.jsonl"]
    with pytest.raises(SystemExit, match="2"):
        main(["q0", "--events", str(tmp_path)])
    assert "no person.jsonl, auction.jsonl there" in capsys.readouterr().err
