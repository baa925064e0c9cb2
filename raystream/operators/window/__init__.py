"""Windows: partial aggregates before the exchange, merge and close after it."""
