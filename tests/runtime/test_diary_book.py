"""The diary of a run: kept in storage, bounded, and readable when every process is gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import raystream as rs
from raystream.errors import StorageError
from raystream.job.past import PastRun
from raystream.observe.safety import CheckpointStatus, RestartStatus
from raystream.observe.status import StatusDocument
from raystream.runtime import diary_book
from raystream.runtime.diary_book import DiaryBook, diary
from raystream.runtime.past import Past
from raystream.storage.memory import MemoryStore
from tests.cli.conftest import raystream

RUN = PastRun("sale", "c0ffee", 1000)


def written(store: MemoryStore, *statuses: StatusDocument) -> list[str]:
    past = Past(store, "sale", "c0ffee")
    past.begin(1000)
    book = DiaryBook()
    book.begin(past)
    for status in statuses:
        book.take(status)
    book.end()
    return [event.text for event in diary(store, RUN)]


def at(second: int, **more: object) -> StatusDocument:
    return StatusDocument("sale", "running", at_ms=second * 1000, attempt=1, **more)  # type: ignore[arg-type]


def test_failures_states_and_the_end_are_kept_but_not_every_checkpoint() -> None:
    failed = RestartStatus(1, "counts[1]: SIGKILL", 3.0)
    checkpoints = [at(n, checkpoint=CheckpointStatus(n, n)) for n in range(1, 50)]
    found = written(
        MemoryStore(),
        *checkpoints,
        at(60, restarts=(failed,), restart_count=1),
        at(61, restarts=(failed,), restart_count=1).ended("stopped"),
    )
    assert found == [
        "attempt 1 is running",
        "attempt 1 failed: counts[1]: SIGKILL",
        "the run has ended: stopped",
    ]


def test_a_note_that_only_changes_its_numbers_is_kept_once_an_hour() -> None:
    notes = [at(n, notes=(f"storage has not answered for {n} s",)) for n in range(0, 7200, 5)]
    found = written(MemoryStore(), *notes)
    assert len([text for text in found if text.startswith("storage")]) == 2


def test_only_the_last_pieces_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diary_book, "KEPT_PIECES", 3)
    store = MemoryStore()
    past = Past(store, "sale", "c0ffee")
    past.begin(1000)
    book = DiaryBook()
    for number in range(6):
        book.take(replace(at(number), state=f"state-{number}"))
        book._flush(past)
    assert [event.text for event in diary(store, RUN)] == [
        f"attempt 1 is state-{number}" for number in (3, 4, 5)
    ]
    assert [event.at_ms for event in diary(store, RUN, 5000)] == [5000]


def test_a_storage_that_does_not_answer_loses_nothing_and_stops_nobody() -> None:
    class Away(MemoryStore):
        away = True

        def create(self, key: str, data: bytes):  # type: ignore[no-untyped-def]
            if self.away and "diary" in key:
                what = "no answer"
                raise StorageError(what)
            return super().create(key, data)

    store = Away()
    past = Past(store, "sale", "c0ffee")
    past.begin(1000)
    book = DiaryBook()
    book.take(at(1))
    book._flush(past)
    store.away = False
    book.take(replace(at(2), state="stopping"))
    book._flush(past)
    found = [event.text for event in diary(store, RUN)]
    assert found == ["attempt 1 is running", "attempt 1 is stopping"]


def test_logs_since_tells_it_after_the_end(tmp_path: Path) -> None:
    p = rs.Pipeline("told", checkpoint_storage=str(tmp_path))
    p.read(rs.Rows([{"n": 1}])).write(rs.Collect())
    p.run(until="latest", local=True)
    done = raystream("logs", "told", "--since", "2h", "--checkpoint-storage", str(tmp_path))
    assert done.code == 0
    assert "the run has ended: finished" in done.out
    later = raystream("logs", "nobody", "--since", "2h", "--checkpoint-storage", str(tmp_path))
    assert later.code == 2
    assert "no run of nobody is known" in later.err
    quiet = raystream("logs", "told", "--since", "0s", "--checkpoint-storage", str(tmp_path))
    assert quiet.code == 2
    assert "nothing has happened to told since 0s" in quiet.err
