"""job: see shared map."""
