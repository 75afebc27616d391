"""Bodies of the assessment routes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class AssessmentRequest:
    """An assessment to be set up."""

    title: str
    repository: str | None = None
    """What the candidate's program clones; ``None`` to use the folder it is started in."""
    time_limit_minutes: int = 0
    """0 for no limit."""
    retention_days: int = 30
    """How long sessions are kept; 180 at most."""


@dataclass(frozen=True, kw_only=True)
class AssessmentAnswer:
    """One assessment."""

    id: str
    title: str
    repository: str | None
    time_limit_minutes: int
    retention_days: int
    policy_sha256: str
    created_at: str


@dataclass(frozen=True, kw_only=True)
class AssessmentList:
    """The organisation's assessments, oldest first."""

    assessments: list[AssessmentAnswer]
