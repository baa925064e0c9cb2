"""The user's graph as frozen values; imports nothing heavy."""
