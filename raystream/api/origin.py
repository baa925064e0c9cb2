"""Where in the user's file a verb was called: see graph.origin."""

from __future__ import annotations

from raystream.graph.origin import at_call as at_call  # noqa: PLC0414 - re-export
from raystream.graph.origin import code_of_call as code_of_call  # noqa: PLC0414
from raystream.graph.origin import origin_of_call as origin_of_call  # noqa: PLC0414
from raystream.graph.origin import written_at as written_at  # noqa: PLC0414
from raystream.graph.origin import wrong as wrong  # noqa: PLC0414
