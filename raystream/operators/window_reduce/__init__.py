"""Verb `window_reduce`: a function of two rows brings the rows of a window into one."""
