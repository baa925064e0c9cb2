"""Checkpoints and two-phase commit: one file per heading of the protocol."""
