"""Bodies of the token routes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Me:
    """The organisation and role of the caller."""

    organisation: str
    role: str


@dataclass(frozen=True, kw_only=True)
class TokenRequest:
    """A new token."""

    role: str
    """``owner``, ``recruiter`` or ``reviewer``."""
    label: str = ""
    """The organisation's name for it."""
    expires_in_days: int | None = None
    """Days until it expires; at most 365."""


@dataclass(frozen=True, kw_only=True)
class TokenAnswer:
    """A new token; it is shown only once."""

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
