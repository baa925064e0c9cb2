"""state: see shared map."""
