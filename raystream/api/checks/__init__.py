"""Whether a pipeline would run, and what its transactions are."""
