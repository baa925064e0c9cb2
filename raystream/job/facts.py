"""The part of a status document that never changes while the job runs."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from raystream.observe.status import EdgeStatus, StatusDocument

if TYPE_CHECKING:
    from raystream.job.spec import JobSpec
    from raystream.plan.physical import PhysicalPlan, StepSpec


def facts(spec: JobSpec) -> StatusDocument:
    """The status document of a job of which only the spec is known."""
    return StatusDocument(
        job=spec.name,
        state="",
        run=spec.run,
        raystream_version=_version(),
        delivery_guarantee=str(spec.delivery_guarantee),
        parallelism=max((chain.parallelism for chain in spec.plan.chains), default=0),
        bounded=spec.bounded,
        storage=f"{without_credentials(spec.checkpoint.storage).rstrip('/')}/{spec.name}/",
        edges=edges(spec.plan),
    )


def _version() -> str:
    """Version of this package, which is already loaded; importing it would be a cycle."""
    return str(getattr(sys.modules["raystream"], "__version__", ""))


def plain(job: str, plan: PhysicalPlan) -> StatusDocument:
    """The status document of a job of which only the plan is known."""
    return replace(StatusDocument(job, ""), edges=edges(plan))


def edges(plan: PhysicalPlan) -> tuple[EdgeStatus, ...]:
    """The exchanges of a plan."""
    return tuple(
        EdgeStatus(each.source, each.target, str(each.kind), each.tag) for each in plan.exchanges
    )


def description(spec: StepSpec) -> str:
    """Description of a source or sink for people: `kafka topic requests`; else empty."""
    end = spec.step.source if spec.step.source is not None else spec.step.sink
    describe = getattr(end, "describe", None)
    return str(describe()) if describe is not None else ""


def without_credentials(address: str) -> str:
    """The address without user, password or query, safe to show.

    >>> without_credentials("s3://key:secret@bucket/jobs?token=x"), without_credentials("/tmp/x")
    ('s3://bucket/jobs', '/tmp/x')
    """
    scheme, found, rest = address.partition("://")
    if not found:
        return address
    bare = re.split(r"[?#]", rest)[0]
    user, _, place = bare.rpartition("@")  # a secret may hold a slash that should have been quoted
    return f"{scheme}://{place if ':' in user or '/' not in user else bare}"
