"""job/states: see shared map."""
