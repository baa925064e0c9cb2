"""runtime/ray: see shared map."""
