"""Inspect: rows are looked at by a function, and passed unchanged."""
