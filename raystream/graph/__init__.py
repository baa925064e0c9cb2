"""What the user said, as frozen values; imports nothing heavy."""
