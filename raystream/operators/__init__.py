"""One operator per file: its columns in and out, and its work."""
