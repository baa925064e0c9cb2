"""observe: see shared map."""
