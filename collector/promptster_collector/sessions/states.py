"""The states of a session, and what each allows."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a session stands; changed only under the row lock that ingest takes."""

    OPEN = "open"
    """Batches are taken."""
    CLOSING = "closing"
    """The end is signed; what was received is being checked, logged and sealed."""
    SEALED = "sealed"
    """The session is a sealed segment."""
    ERASED = "erased"
    """Retention ended, or somebody had it erased; its keys are destroyed."""
    WITHDRAWN = "withdrawn"
    """The candidate took consent back; its keys are destroyed."""


class Activity(StrEnum):
    """What an open session does, as far as the collector can tell."""

    WORKING = "working"
    """Something arrived a moment ago: the recorder runs, and tells that every minute, in a pause too."""
    SILENT = "silent"
    """Nothing arrives: the candidate stopped, or the computer is off, asleep or without a network."""
    OVER = "over"
    """The time for recording is over; what was recorded can still be submitted."""


SILENT_MS = 5 * 60 * 1000
"""So long after the last batch a session counts as silent: five times the recorder's heartbeat."""


def activity(state: str, *, heard_ms: int, record_until_ms: int, now_ms: int) -> Activity | None:
    """What a session does; ``None`` for one that has ended.

    Args:
        state: where it stands.
        heard_ms: when its last batch came, or when it began.
        record_until_ms: the end of its time for recording.
        now_ms: the collector's clock.
    """
    if state != State.OPEN:
        return None
    if now_ms >= record_until_ms:
        return Activity.OVER
    return Activity.SILENT if now_ms - heard_ms >= SILENT_MS else Activity.WORKING


GONE = frozenset({State.ERASED, State.WITHDRAWN})
ENDED = frozenset({State.CLOSING, State.SEALED})
