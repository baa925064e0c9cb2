"""runtime/channels: see shared map."""
