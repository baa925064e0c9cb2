"""plan: see shared map."""
