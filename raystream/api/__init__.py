"""api: see shared map."""
