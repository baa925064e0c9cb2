"""The states of a job."""
