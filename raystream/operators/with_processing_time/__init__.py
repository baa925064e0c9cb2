"""WithProcessingTime: the time of the clock as event time."""
