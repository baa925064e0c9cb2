"""Pipelines as YAML: read with positions, checked, compiled to the same object as Python."""
