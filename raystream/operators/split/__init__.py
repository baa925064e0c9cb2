"""Verb `split`: each row goes to the first branch whose condition it meets."""
