"""The runtime of a job: the same under Ray, in one process, and in simulation."""
