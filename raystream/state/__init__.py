"""State as columns: appended, compacted, snapshotted as immutable segments, redistributed."""
