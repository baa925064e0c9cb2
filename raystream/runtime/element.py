"""The elements of a channel."""

from __future__ import annotations

from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import Batch
from raystream.time.watermark import Idle, Watermark

Element = Batch | Watermark | Idle | Barrier
