"""Everything that runs; the same under Ray, in one process, in simulation."""
