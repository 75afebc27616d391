"""Invites: one secret for one candidate, redeemed once by one key for a session's certificate."""
