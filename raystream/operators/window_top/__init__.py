"""Verb `window_top`: the first rows of each key and closed window."""
