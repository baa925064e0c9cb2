"""cli: see shared map."""
