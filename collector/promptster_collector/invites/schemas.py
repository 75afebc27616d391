"""Bodies of the invite routes."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class InviteRequest:
    """A person to be invited."""

    name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class InviteAnswer:
    """An invite just made; code and link are shown this once."""

    code: str
    link: str
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class AssessmentForCandidate:
    """What a candidate is told about the task."""

    title: str
    repository: str | None
    time_limit_minutes: int
    brief: str | None = None
    """The task's text; no assessment has one yet."""


@dataclass(frozen=True, kw_only=True)
class InviteForCandidate:
    """An invite with everything needed to decide on it."""

    invite: dict[str, str]
    """The signed invite's envelope."""
    policy: str
    """The policy's exact bytes, base64url."""
    assessment: AssessmentForCandidate
    keys: dict[str, Any]
    """The collector's key file."""


@dataclass(frozen=True, kw_only=True)
class RedeemRequest:
    """Consent, redemption and the sealed content key."""

    consent: dict[str, Any]
    redeem: dict[str, Any]
    box: str
    """The content key sealed to the invite's sealing key, base64url."""


@dataclass(frozen=True, kw_only=True)
class RedeemAnswer:
    """The session's certificate."""

    certificate: dict[str, str]
    keys: dict[str, Any]
