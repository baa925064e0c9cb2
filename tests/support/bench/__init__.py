"""`scripts/bench`: each figure of speed and cost beside its target."""

from __future__ import annotations
