"""session_aggregate: aggregates over sessions, which end when nothing comes for a gap."""
