"""Verb `join` without a condition on time: every pair of rows with equal keys."""
