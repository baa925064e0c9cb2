"""Latest: records that set and remove rows by key, as changes of a table."""
