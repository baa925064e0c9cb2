"""The life of a job: one state per file, pure."""
