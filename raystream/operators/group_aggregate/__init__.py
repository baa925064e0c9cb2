"""GroupAggregate: aggregates of a key over all its rows, without a window."""
