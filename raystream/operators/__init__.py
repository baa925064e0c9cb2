"""Operators, one per file: input and output columns, and processing."""
