"""The read audit: who read which session."""
