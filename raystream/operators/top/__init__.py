"""Top: the first rows of each key in an order, as a stream of changes."""
