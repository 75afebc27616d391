"""Principals and the access rule that every route declares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a member of the hiring team may do."""

    OWNER = "owner"
    RECRUITER = "recruiter"
    REVIEWER = "reviewer"


class Credential(StrEnum):
    """The credential that a route requires."""

    NOTHING = "nothing"
    """Open to anyone."""
    INVITE = "invite"
    """The invite's secret, compared by the route's service."""
    SIGNATURE = "signature"
    """A signature of the session's key inside the body, verified by the route's service."""
    BEARER = "bearer"
    """A team token or a candidate's access token."""


@dataclass(frozen=True)
class Access:
    """Who may use a route."""

    credential: Credential
    roles: frozenset[Role] = frozenset()
    candidate: bool = False
    """Whether a candidate may use it for their own session."""


ANYONE = Access(Credential.NOTHING)
INVITED = Access(Credential.INVITE)
SIGNED = Access(Credential.SIGNATURE)
TEAM = Access(Credential.BEARER, frozenset(Role))
OWNERS = Access(Credential.BEARER, frozenset({Role.OWNER}))
INVITERS = Access(Credential.BEARER, frozenset({Role.OWNER, Role.RECRUITER}))
READERS = Access(Credential.BEARER, frozenset({Role.OWNER, Role.REVIEWER}), candidate=True)
"""Those who may read a session's content."""
ERASERS = Access(Credential.BEARER, frozenset({Role.OWNER}), candidate=True)
"""Those who may erase a session."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The caller, as the credential proved it; the organisation comes from here and nowhere else."""

    organisation: str
    role: Role | None = None
    """A team member's role; ``None`` for a candidate."""
    token: str | None = None
    """The team token's id."""
    session: str | None = None
    """The candidate's own session."""

    @property
    def reader(self) -> str:
        """The caller's name in the read audit."""
        return "candidate" if self.role is None else self.role.value
