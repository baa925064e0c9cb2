"""A pipeline tried on the newest records."""
