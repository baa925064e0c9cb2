"""Verb `asof_join`: each row with the version of another stream that held at its time."""
