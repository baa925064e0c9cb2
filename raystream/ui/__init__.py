"""The page of running jobs, served by one process."""
