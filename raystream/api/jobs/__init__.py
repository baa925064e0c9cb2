"""Running a pipeline, and the handle to its job."""
