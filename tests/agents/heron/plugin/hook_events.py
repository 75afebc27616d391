"""Heron's events."""

EVENTS = ("asked", "answered", "tool_begins", "tool_ended")
