"""The states of a session, and what each allows."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a session; changed only under the row lock that ingest takes."""

    OPEN = "open"
    """Batches are accepted."""
    CLOSING = "closing"
    """The close is signed; what was received is being checked, logged and sealed."""
    SEALED = "sealed"
    """The session is a sealed segment."""
    ERASED = "erased"
    """Retention ended, or the session was deleted; its keys are destroyed."""
    WITHDRAWN = "withdrawn"
    """The candidate withdrew consent; its keys are destroyed."""


class Activity(StrEnum):
    """What an open session is doing, as far as the collector knows."""

    WORKING = "working"
    """Something arrived recently: the recorder is running and reports every minute, even in a pause."""
    SILENT = "silent"
    """Nothing arrives: the candidate stopped, or the computer is off, asleep or offline."""
    OVER = "over"
    """Recording time is over; what was recorded can still be submitted."""


SILENT_MS = 5 * 60 * 1000
"""How long after the last batch a session counts as silent: five times the recorder's heartbeat."""


def activity(state: str, *, heard_ms: int, record_until_ms: int, now_ms: int) -> Activity | None:
    """What a session is doing; ``None`` if it has ended.

    Args:
        state: the session's state.
        heard_ms: when its last batch arrived, or when it started.
        record_until_ms: the end of its recording time.
        now_ms: the current time.
    """
    if state != State.OPEN:
        return None
    if now_ms >= record_until_ms:
        return Activity.OVER
    return Activity.SILENT if now_ms - heard_ms >= SILENT_MS else Activity.WORKING


GONE = frozenset({State.ERASED, State.WITHDRAWN})
ENDED = frozenset({State.CLOSING, State.SEALED})
