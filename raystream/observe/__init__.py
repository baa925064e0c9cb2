"""What is seen of a running job: counters, status, culprit."""
