"""The commit protocol as procedures: each yield is one step of the specification."""
