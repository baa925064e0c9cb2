"""Map, FlatMap, FilterRows: the user's row functions; adjacent ones are fused."""
