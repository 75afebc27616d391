"""The audit of reads: who looked at which session."""
