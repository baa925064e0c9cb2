"""Rows as columns: batches, schemas, hashing, Arrow IPC."""
