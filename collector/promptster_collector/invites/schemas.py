"""Bodies of the invite routes."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class InviteRequest:
    """A person to invite."""

    name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class InviteAnswer:
    """A new invite; code and link are shown only once."""

    code: str
    link: str
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class AssessmentForCandidate:
    """What a candidate sees of the assessment."""

    title: str
    repository: str | None
    time_limit_minutes: int
    brief: str | None = None
    """The task's text; always ``None`` so far."""


@dataclass(frozen=True, kw_only=True)
class InviteForCandidate:
    """An invite with everything that a candidate needs to decide."""

    invite: dict[str, str]
    """The signed invite's envelope."""
    policy: str
    """The policy's exact bytes, base64url."""
    assessment: AssessmentForCandidate
    keys: dict[str, Any]
    """The collector's key file."""


@dataclass(frozen=True, kw_only=True)
class RedeemRequest:
    """Consent, redemption and the encrypted content key."""

    consent: dict[str, Any]
    redeem: dict[str, Any]
    box: str
    """The content key, encrypted to the invite's sealing key, base64url."""


@dataclass(frozen=True, kw_only=True)
class RedeemAnswer:
    """The session's certificate."""

    certificate: dict[str, str]
    keys: dict[str, Any]
