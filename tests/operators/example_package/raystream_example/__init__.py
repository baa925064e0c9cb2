"""Two verbs of another package: its entry points name them."""
