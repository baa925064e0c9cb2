"""The live view, for verbs that watch a job."""

from __future__ import annotations

from raystream.api.jobs.live_view import LiveView as LiveView  # noqa: PLC0414 - its home is shared
from raystream.api.jobs.live_view import Memory as Memory  # noqa: PLC0414
