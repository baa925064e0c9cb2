"""connectors/files: see shared map."""
