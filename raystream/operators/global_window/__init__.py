"""global_aggregate: windows that count rows, or are emitted when a trigger says so."""
