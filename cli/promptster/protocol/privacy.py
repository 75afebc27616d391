"""What the parties sign when something leaves the record: redactions, a withdrawal, a tombstone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from promptster.protocol.documents import Document, DocumentType, binary, choice, identifier, integer, text


class TombstoneOutcome(StrEnum):
    """Why a session was deleted."""

    WITHDRAWN = "withdrawn"
    """The candidate withdrew the consent."""
    ERASED = "erased"
    """The hiring team deleted it."""
    EXPIRED = "expired"
    """The retention time is over."""


@dataclass(frozen=True, kw_only=True)
class RedactionRecord(Document):
    """One value that was removed after the session, in a chain signed by the collector."""

    TYPE: ClassVar[DocumentType] = DocumentType.REDACTION

    kid: str = identifier()
    """The collector's key that signed."""
    session: str = identifier()
    """The session from which something was removed."""
    i: int = integer()
    """The record's number, from 0."""
    prev: bytes = binary()
    """Hash of the previous record's payload; of the certificate's payload for the first."""
    seq: int = integer()
    """The event that lost a value."""
    field: str = text(64)
    """The field that lost its value and salt."""
    block: bytes | None = binary(null=True)
    """The block that went with it, for every event that refers to it."""
    reason: str = text(200)
    """Why, in a few words."""
    actor: str = text(200)
    """Who asked for it: a role or a name that the organisation uses."""
    at_ms: int = integer()
    """When; milliseconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class Withdrawal(Document):
    """The candidate takes consent back; signed with the session key, outside the chain of batches."""

    TYPE: ClassVar[DocumentType] = DocumentType.WITHDRAWAL

    session: str = identifier()
    """The session that ends."""
    at_ms: int = integer()
    """When; milliseconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class Tombstone(Document):
    """What stays of a session whose keys were destroyed."""

    TYPE: ClassVar[DocumentType] = DocumentType.TOMBSTONE

    kid: str = identifier()
    """The collector's key that signed."""
    session: str = identifier()
    """The session that is gone."""
    outcome: TombstoneOutcome = choice(TombstoneOutcome)
    """Who ended it: the candidate, a request for erasure, or the end of retention."""
    at_ms: int = integer()
    """When the keys were destroyed; milliseconds since the epoch."""
    backups_until_ms: int = integer()
    """When the last backup of the key store that held them is gone; milliseconds since the epoch.

    0 where the collector states nothing about backups.
    """
    batches: int = integer()
    """How many batches there had been."""
    exports: int = integer()
    """How often all of it had been handed out, as a bundle or an export, to be read or to be kept.

    Erasure cannot reach what was kept; no one can say how much that is. The candidate's own copies come on top.
    """
