"""The commit protocol as text: procedures that yield commands and are sent their answers."""
