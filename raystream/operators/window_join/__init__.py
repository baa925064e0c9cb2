"""Verb `join` with `window=`: pairs of rows in the same window of event time."""
