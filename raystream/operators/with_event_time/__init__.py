"""WithEventTime: another event time and its watermarks."""
