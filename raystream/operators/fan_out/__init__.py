"""FanOut: partial results of several steps, made where the rows are; added by the plan."""
