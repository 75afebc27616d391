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


GONE = frozenset({State.ERASED, State.WITHDRAWN})
ENDED = frozenset({State.CLOSING, State.SEALED})
