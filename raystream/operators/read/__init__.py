"""Read: rows of a source."""
