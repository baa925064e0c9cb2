"""Verb `process`: the user's class with state and timers per key."""
