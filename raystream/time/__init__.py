"""Event time as numbers: epoch milliseconds, no clock of its own."""
