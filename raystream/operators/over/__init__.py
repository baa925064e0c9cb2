"""over: aggregates over the rows before each row."""
