"""Windows: partial aggregates before the exchange, merge and close behind it."""
