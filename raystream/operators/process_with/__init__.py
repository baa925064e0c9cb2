"""Verb `process_with`: the user's class with rows of two streams."""
