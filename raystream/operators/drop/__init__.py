"""Drop: all columns but these."""
