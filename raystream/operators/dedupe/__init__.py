"""Verb `dedupe`: the first row of each key."""
