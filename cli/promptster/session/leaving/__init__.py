"""Ending a session: submitting, stopping, withdrawing, and the candidate's own copy."""
