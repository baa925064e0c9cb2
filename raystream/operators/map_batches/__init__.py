"""MapBatches: frame to frame, by the user's function."""
