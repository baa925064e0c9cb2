"""Jobs that are gone from their cluster: how they ended, from their storage."""

from __future__ import annotations

import threading
from pathlib import Path

from raystream.api.jobs.endings import LOOKS, Endings
from raystream.job.outcome import Outcome
from raystream.observe.status import StatusDocument
from raystream.runtime.past import Past
from raystream.storage.open import job_store


def running(here: Path, job: str = "sale") -> StatusDocument:
    return StatusDocument(job, "running", run="c0ffee", storage=f"{here}/{job}/", at_ms=7)


def test_a_job_that_is_gone_is_told_with_how_it_ended_once_that_is_recorded(tmp_path: Path) -> None:
    now, past = running(tmp_path), Past(job_store(str(tmp_path), "sale"), "sale", "c0ffee")
    past.begin(1)
    endings = Endings()
    assert endings.of_missing([now]) == []
    assert endings.of_missing([]) == []  # it ends at this moment
    past.end(Outcome("failed", "boom"), now)
    (told,) = endings.of_missing([])
    assert (told.job, told.outcome, told.message, told.at_ms) == ("sale", "failed", "boom", 7)
    assert endings.of_missing([]) == [told]
    assert endings.of_missing([now]) == []  # it was started again
    silent = StatusDocument("sale", "silent")
    assert endings.of_missing([silent]) == []
    assert endings.of_missing([]) == [told]  # what it said before it fell silent is remembered


def test_of_a_job_that_died_without_a_word_nothing_is_made_up(tmp_path: Path) -> None:
    Past(job_store(str(tmp_path), "sale"), "sale", "c0ffee").begin(1)
    endings = Endings()
    endings.of_missing([running(tmp_path)])
    assert [endings.of_missing([]) for _ in range(LOOKS + 2)] == [[]] * (LOOKS + 2)


def test_the_end_of_a_job_whose_cluster_went_with_it_is_waited_for(tmp_path: Path) -> None:
    now, past = running(tmp_path), Past(job_store(str(tmp_path), "sale"), "sale", "c0ffee")
    past.begin(1)
    endings = Endings()
    endings.of_missing([now])
    late = threading.Timer(0.3, past.end, (Outcome("stopped", ""), now))
    late.start()
    told = endings.soon_of("sale")
    late.join()
    assert told is not None
    assert told.outcome == "stopped"
    assert endings.soon_of("nobody") is None
