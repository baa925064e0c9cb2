"""Verb `join` with `within=`: pairs whose event times are near each other."""
