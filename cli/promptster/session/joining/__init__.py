"""Turns an invite link into a running session: offer, consent, redemption, start."""
