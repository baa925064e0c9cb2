"""Settings of a Pipeline besides its steps."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.graph.policies import DeliveryGuarantee


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a Pipeline besides its steps; times in seconds."""

    delivery_guarantee: DeliveryGuarantee
    checkpoint_interval: float
    checkpoint_storage: str | None
    checkpoint_timeout: float
    checkpoint_min_pause: float
    parallelism: int | None
    state_memory: int | None
    state_directory: str | None
