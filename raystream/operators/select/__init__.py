"""Select: only these columns."""
