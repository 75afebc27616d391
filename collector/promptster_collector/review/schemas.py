"""Bodies of the reading routes."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EventEntry:
    """One opened event; bytes among its fields are base64url."""

    seq: int
    src: str
    src_seq: int
    kind: str
    ms: int
    mono_ms: int
    lane: int
    refs: list[int]
    fields: dict[str, Any]
    withheld: list[str]
    cut: dict[str, list[Any]]
    """Full length and SHA-256 of values that were cut."""


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """Some events of a session, in order."""

    state: str
    events: list[EventEntry]
    next: int
    """The ``after`` of the next page: the last ``seq`` of this one."""


@dataclass(frozen=True, kw_only=True)
class EvidenceAnswer:
    """All signed documents of a session."""

    keys: dict[str, Any]
    certificate: dict[str, str]
    policy: str
    consent: dict[str, str]
    receipts: list[dict[str, str]]
    checks: list[dict[str, str]]
    close: dict[str, str] | None
    redactions: list[dict[str, str]]
    checkpoint: str | None
    proofs: list[dict[str, Any]]
