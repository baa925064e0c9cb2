"""What all joins share: kinds, columns, rows."""
