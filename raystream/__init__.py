"""raystream."""
