"""The stream of a snapshot from a subtask to durable storage: a header, then each new segment.

On Ray the coordinator pulls it, so only a few segments exist outside the subtask at a time (416 MB
went through an object store of 200 MB); in one process it is stored as it comes. A segment leaves
the subtask as the bytes that will be stored; a segment that is already stored is only named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from raystream.checkpoint.records import Committable, SegmentRef
from raystream.data.segment import Segment
from raystream.ids import StepName, SubtaskId
from raystream.job.spec import OpenRequest
from raystream.runtime.task import Snapshot
from raystream.storage.segments import encode_segment


@dataclass(frozen=True, slots=True)
class StepHeader:
    """State of one step without its rows: header, ids of its segments in order, transaction."""

    header: Mapping[str, Any]
    segments: tuple[str, ...]
    committable: Committable | None


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """First item of the stream.

    Args:
        subtask: Subtask of the snapshot.
        checkpoint: Number of the checkpoint.
        steps: State of each step.
        sizes: Approximate bytes of each new segment that follows, in order.
        counters: Counters of the subtask at the snapshot.
    """

    subtask: SubtaskId
    checkpoint: int
    steps: Mapping[StepName, StepHeader]
    sizes: tuple[int, ...]
    counters: Mapping[StepName, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewSegment:
    """A later item: bytes to store as `ref.key`; uint8, so that Ray passes them without a copy."""

    step: StepName
    ref: SegmentRef
    data: npt.NDArray[np.uint8]


class SnapshotStream:
    """Segments that a subtask has already sent in this attempt, and the new ones.

    Args:
        request: Segments that it restored unchanged are already stored.
    """

    def __init__(self, request: OpenRequest) -> None:
        self._attempt = request.attempt
        self._index = request.subtask.index
        self._stored = set(request.kept_segments())

    def items(self, snapshot: Snapshot) -> Iterator[SnapshotHeader | NewSegment]:
        """The header, then every segment that is not yet stored."""
        segments = [(step, s) for step, state in snapshot.steps.items() for s in state.segments]
        new = [(step, s) for step, s in segments if (step, s.id) not in self._stored]
        steps = {
            step: StepHeader(
                state.header,
                tuple(segment.id for segment in state.segments),
                state.prepared.result() if state.prepared is not None else None,
            )
            for step, state in snapshot.steps.items()
        }
        sizes = tuple(int(segment.frame.estimated_size()) for _, segment in new)
        yield SnapshotHeader(snapshot.subtask, snapshot.checkpoint, steps, sizes, snapshot.counters)
        for step, segment in new:
            yield self._encoded(step, segment)
        self._stored = {(step, segment.id) for step, segment in segments}

    def _encoded(self, step: StepName, segment: Segment) -> NewSegment:
        ref, data = encode_segment(self._attempt, step, self._index, segment)
        return NewSegment(step, ref, np.frombuffer(data, dtype=np.uint8))
