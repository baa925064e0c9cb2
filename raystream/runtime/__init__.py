"""runtime: see shared map."""
