"""Checkpoint statistics of a run: the last one, the running one, a history with all times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from raystream.checkpoint.records import Checkpoint
from raystream.ids import SubtaskId
from raystream.observe.histogram import Histogram, HistogramStatus, histogram_status
from raystream.observe.status import CheckpointEntry, CheckpointStatus

KEPT = 20
"""Number of checkpoints in the history."""

PHASES = ("duration", "align", "sync", "flush", "upload", "commit")

Times = dict[SubtaskId, Mapping[str, float]]


@dataclass(slots=True)
class _Entry:
    """A checkpoint, the seconds of its events, and what each subtask reported about it."""

    told: CheckpointEntry
    triggered: float
    last_ack: float | None = None
    missing: set[SubtaskId] = field(default_factory=set)
    acks: dict[SubtaskId, float] = field(default_factory=dict)
    times: Times = field(default_factory=dict)


@dataclass(slots=True)
class CheckpointBook:
    """Checkpoint statistics; all seconds are those of the coordinator's monotonic clock.

    Args:
        interval_s: Between triggers, as configured.
        timeout_s: From trigger to last ack, as configured.
        wall_ms: Epoch ms at second 0 of that clock.
    """

    interval_s: float = 0.0
    timeout_s: float = 0.0
    wall_ms: float = 0.0
    number: int = 0
    completed: int = 0
    failed: int = 0
    _history: list[_Entry] = field(default_factory=list)
    _last: CheckpointEntry | None = None
    _completed_at: float | None = None
    _known_segments: frozenset[str] = frozenset()
    _phases: dict[str, Histogram] = field(default_factory=dict)

    # --- events

    def triggered(
        self, number: int, subtasks: Iterable[SubtaskId], now: float, *, final: bool
    ) -> None:
        """Record that a checkpoint was triggered; these subtasks will ack it."""
        self._count_phases()
        told = CheckpointEntry(number, "running", self._wall(now), final=final)
        entry = _Entry(told, now, missing=set(subtasks))
        self._history = [*self._history, entry][-KEPT:]

    def ack(self, subtask: SubtaskId, number: int, now: float) -> None:
        """Record that all state of one subtask is durable."""
        for entry in self._running(number):
            entry.missing.discard(subtask)
            entry.acks[subtask] = now

    def last_ack(self, now: float) -> None:
        """Record the last ack: phase two begins."""
        for entry in self._running():
            entry.last_ack = now
            entry.missing.clear()

    def complete(self, checkpoint: Checkpoint, now: float) -> None:
        """Record that the checkpoint is committed."""
        sizes = _segments(checkpoint)
        new = sum(size for key, size in sizes.items() if key not in self._known_segments)
        self._known_segments = frozenset(sizes)
        self._completed_at = now
        self.number, self.completed = checkpoint.number, self.completed + 1
        for entry in self._running():
            acked = entry.triggered if entry.last_ack is None else entry.last_ack
            self._last = entry.told = replace(
                entry.told,
                state="completed",
                duration_s=now - entry.triggered,
                ack_s=acked - entry.triggered,
                commit_s=now - acked,
                size_bytes=sum(sizes.values()),
                new_bytes=new,
            )

    def fail(self, reason: str, now: float) -> None:
        """Record that the attempt failed and with it the running checkpoint."""
        for entry in self._running():
            self.failed += 1
            missing = ", ".join(map(str, sorted(entry.missing)))
            acks = f"; no ack of {missing}" if missing and entry.acks else ""
            duration = now - entry.triggered
            entry.told = replace(
                entry.told, state="failed", duration_s=duration, reason=reason + acks
            )

    def keep(self, number: int, savepoint: str) -> None:
        """Record that a checkpoint was kept as a savepoint at this address."""
        for entry in self._history:
            if entry.told.number == number:
                entry.told = replace(entry.told, savepoint=savepoint)

    def pong(self, subtask: SubtaskId, told: Mapping[str, Mapping[str, float]]) -> None:
        """Record the times of a subtask for its part; they arrive some time after the ack."""
        for entry in self._history:
            times = told.get(str(entry.told.number))
            if times is not None:
                entry.times[subtask] = times

    def _count_phases(self) -> None:
        """Count the newest checkpoint: by now every subtask has reported its times."""
        for entry in self._history[-1:]:
            told = self._told(entry)
            if told.state != "completed":
                continue
            for phase in PHASES:
                seconds: float | None = getattr(told, f"{phase}_s")
                if seconds is not None:
                    self._phases.setdefault(phase, Histogram()).add(seconds)

    # --- status

    def phases(self) -> tuple[HistogramStatus, ...]:
        """Histogram of each phase, without the newest checkpoint."""
        return tuple(histogram_status(name, [one.told()]) for name, one in self._phases.items())

    def status(self, now: float) -> CheckpointStatus:
        """Status of the checkpoints at this moment."""
        age = None if self._completed_at is None else now - self._completed_at
        status = CheckpointStatus(
            number=self.number,
            completed=self.completed,
            failed=self.failed,
            age_s=age,
            interval_s=self.interval_s,
            timeout_s=self.timeout_s,
            history=tuple(map(self._told, self._history)),
        )
        status = _with_last(status, self._last)
        for entry in self._running():
            status = replace(
                status,
                running=entry.told.number,
                running_s=now - entry.triggered,
                waiting_for=tuple(map(str, sorted(entry.missing))),
                storing_s=self._storing_s(entry, now),
            )
        return status

    def _running(self, number: int | None = None) -> list[_Entry]:
        """The running checkpoint, if any and if it has this number."""
        newest = self._history[-1:]
        return [
            entry
            for entry in newest
            if entry.told.state == "running" and number in {None, entry.told.number}
        ]

    def _told(self, entry: _Entry) -> CheckpointEntry:
        return replace(
            entry.told,
            align_s=_longest(entry.times, "align_s"),
            sync_s=_longest(entry.times, "sync_s"),
            flush_s=_longest(entry.times, "flush_s"),
            upload_s=self._upload_s(entry),
        )

    def _upload_s(self, entry: _Entry) -> float | None:
        """Upload seconds by the nodes' clocks, so clamped to 0 .. the time to the last ack."""
        found = [
            (self._wall(entry.acks[subtask]) - times["handed_in_ms"]) / 1000
            for subtask, times in entry.times.items()
            if subtask in entry.acks and "handed_in_ms" in times
        ]
        if not found:
            return None
        most = max(entry.acks.values()) - entry.triggered
        return round(min(max(0.0, *found), most), 3)

    def _storing_s(self, entry: _Entry, now: float) -> float | None:
        """Storing seconds by the nodes' clocks, so clamped to 0 .. the time since the trigger."""
        told = [entry.times.get(subtask, {}).get("handed_in_ms") for subtask in entry.missing]
        newest = [each for each in told if each is not None]
        if not told or len(newest) < len(told):
            return None
        return min(max(0.0, (self._wall(now) - max(newest)) / 1000), now - entry.triggered)

    def _wall(self, now: float) -> int:
        return round(self.wall_ms + now * 1000)


def _with_last(status: CheckpointStatus, last: CheckpointEntry | None) -> CheckpointStatus:
    if last is None:
        return status
    return replace(
        status,
        duration_s=last.duration_s or 0.0,
        ack_s=last.ack_s or 0.0,
        commit_s=last.commit_s or 0.0,
        size_bytes=last.size_bytes,
        new_bytes=last.new_bytes,
    )


def _longest(times: Times, name: str) -> float | None:
    found: list[Any] = [told[name] for told in times.values() if name in told]
    return round(max(found), 6) if found else None


def _segments(checkpoint: Checkpoint) -> dict[str, int]:
    states = (state for states in checkpoint.steps.values() for state in states)
    return {ref.key: ref.size for state in states for ref in state.segments}
