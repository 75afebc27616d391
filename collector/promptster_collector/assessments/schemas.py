"""Bodies of the assessment routes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class AssessmentRequest:
    """A new assessment."""

    title: str
    repository: str | None = None
    """The repository that the client clones; ``None`` to use the folder it is started in."""
    time_limit_minutes: int = 0
    """0 for no limit."""
    retention_days: int = 30
    """How long sessions are kept; 180 at most."""
    agents: list[str] | None = None
    """The ids of the allowed agents; ``None`` for all of them."""
    contact: str | None = None
    """Whom candidates can write to; ``None`` for the organisation."""
    alternative: str | None = None
    """What candidates who refuse are offered."""
    legal_basis: str | None = None
    """The legal basis as the organisation states it; ``None`` for consent."""


@dataclass(frozen=True, kw_only=True)
class AssessmentAnswer:
    """An assessment as its team reads it."""

    id: str
    title: str
    repository: str | None
    time_limit_minutes: int
    retention_days: int
    policy_sha256: str
    created_at: str
    policy_version: int
    agents: list[str] | None
    """``None`` for a policy of version 1, which has no list of agents."""
    contact: str | None
    alternative: str | None
    legal_basis: str | None


@dataclass(frozen=True, kw_only=True)
class AssessmentList:
    """The organisation's assessments, oldest first."""

    assessments: list[AssessmentAnswer]
