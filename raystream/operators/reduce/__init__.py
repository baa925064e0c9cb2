"""Verb `reduce`: a function of two rows brings the rows of a key into one, step by step."""
