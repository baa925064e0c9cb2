"""Filter: rows for which a condition is true."""
