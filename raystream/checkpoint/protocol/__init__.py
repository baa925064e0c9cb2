"""The commit protocol as generators: procedures that yield commands and receive the answers."""
