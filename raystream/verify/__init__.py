"""The answer by other code."""
