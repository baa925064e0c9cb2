"""verify: see shared map."""
