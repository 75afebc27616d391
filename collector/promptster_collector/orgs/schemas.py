"""Bodies of the token routes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Me:
    """Who the token belongs to."""

    organisation: str
    role: str


@dataclass(frozen=True, kw_only=True)
class TokenRequest:
    """A token to be made."""

    role: str
    """``owner``, ``recruiter`` or ``reviewer``."""
    label: str = ""
    """What the organisation calls it."""
    expires_in_days: int | None = None
    """Days until it expires; a year at most."""


@dataclass(frozen=True, kw_only=True)
class TokenAnswer:
    """A token just made; it is shown this once."""

    id: str
    token: str
    role: str
    label: str
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class TokenEntry:
    """A token without its secret."""

    id: str
    role: str
    label: str
    created_at: str
    expires_at: str
    revoked_at: str | None
    active: bool


@dataclass(frozen=True, kw_only=True)
class TokenList:
    """The organisation's tokens, oldest first."""

    tokens: list[TokenEntry]
