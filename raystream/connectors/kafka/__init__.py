"""Kafka in and out, exactly once."""
