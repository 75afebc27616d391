"""Bodies of the session routes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HeadAnswer:
    """How far a session has come."""

    state: str
    next: int
    """The batch number that is expected next."""
    events: int
    """Events acknowledged by receipts."""
    checked: int
    """Highest batch number that was opened and checked; -1 for none."""
    closed: bool
    """Whether the session has ended in any way."""


@dataclass(frozen=True, kw_only=True)
class SessionEntry:
    """One session in the team's list."""

    session: str
    assessment: str
    title: str
    name: str | None
    email: str | None
    state: str
    started_at: str
    events: int
    checked: int
    closed_at: str | None
    outcome: str | None
    """How it ended, ``submitted`` or ``lapsed``; ``None`` while it runs and after its keys are destroyed."""
    last_received_at: str | None
    """When the last batch arrived; ``None`` before the first and after its keys are destroyed."""
    record_until: str
    """When recording ends."""
    upload_until: str
    """Until when it can be submitted."""
    activity: str | None
    """While it is open: ``working``, ``silent`` (nothing for five minutes) or ``over`` (recording time is over)."""
    confirmation_code: str | None
    """The confirmation code that the candidate sees; ``None`` after its keys are destroyed."""
    opened_at: str | None
    """When the invite was first opened with its secret; ``None`` if that is not known."""
    opened_again_at: list[str]
    """When it was opened again: the first few times and the last."""
    openings: int
    """How often it was opened in total."""


@dataclass(frozen=True, kw_only=True)
class SessionList:
    """The organisation's sessions, newest first."""

    sessions: list[SessionEntry]
