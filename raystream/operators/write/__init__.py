"""Write: rows go to a sink."""
