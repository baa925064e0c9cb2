"""window_apply: the user's function of a frame over the rows of each closed window."""
