"""Observability of a running job: counters, status, bottlenecks."""
