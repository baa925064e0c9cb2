"""Planning: everything that is decided before a run."""
