"""WithColumns: columns added or replaced."""
