"""Invites: a secret for one candidate, redeemed once for a session's certificate."""
