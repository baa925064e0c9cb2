"""Union: rows of several inputs."""
