"""KeyBy: the key of the rows."""
