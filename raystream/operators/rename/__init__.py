"""Rename: the same rows, with columns under other names."""
