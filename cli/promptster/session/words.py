"""How facts of a session are written for people; light, because every command needs it."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(ms: int) -> str:
    """A point in time as RFC 3339 text in UTC, to the second."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def one_line(text: str) -> str:
    """Received text without line breaks, so that it cannot pretend to be a line of ours."""
    return " ".join(text.split())
