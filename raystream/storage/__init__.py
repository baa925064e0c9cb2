"""Durable objects: create if absent, read, list, delete."""
