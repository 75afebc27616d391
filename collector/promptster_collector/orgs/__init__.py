"""Organisations and the people they know: members of the hiring team, and candidates."""
