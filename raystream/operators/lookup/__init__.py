"""Verb `lookup`: each row with the rows of a table that is read whole before."""
