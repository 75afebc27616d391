"""What the collector signs about batches: custody, content, and the end of a session."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from promptster.protocol.documents import Document, DocumentType, binary, choice, flag, identifier, integer, text


class CloseOutcome(StrEnum):
    """How a session ended."""

    SUBMITTED = "submitted"
    """By the candidate."""
    LAPSED = "lapsed"
    """Without a closing event in time."""


@dataclass(frozen=True, kw_only=True)
class Receipt(Document):
    """Proves custody of a batch, and says nothing about its content."""

    TYPE: ClassVar[DocumentType] = DocumentType.RECEIPT

    kid: str = identifier()
    """The collector's key that signed."""
    session: str = identifier()
    """The session of the batch."""
    n: int = integer()
    """The batch's number, from 0."""
    header_sha256: bytes = binary()
    """Hash of the batch's header."""
    received_ms: int = integer()
    """When the batch was stored durably; milliseconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class Check(Document):
    """The outcome of opening a batch: every commitment, every kind, the root."""

    TYPE: ClassVar[DocumentType] = DocumentType.CHECK

    kid: str = identifier()
    """The collector's key that signed."""
    session: str = identifier()
    """The session of the batch."""
    n: int = integer()
    """The batch's number."""
    header_sha256: bytes = binary()
    """Hash of the batch's header."""
    ok: bool = flag()
    """Whether the batch opened and held."""
    code: str | None = text(64, null=True)
    """What was wrong; null when nothing was."""
    discarded: int = integer()
    """Events outside the policy, whose values were discarded unread."""


@dataclass(frozen=True, kw_only=True)
class Close(Document):
    """The end of a session: nothing follows the batch named here."""

    TYPE: ClassVar[DocumentType] = DocumentType.CLOSE

    kid: str = identifier()
    """The collector's key that signed."""
    session: str = identifier()
    """The session that ended."""
    outcome: CloseOutcome = choice(CloseOutcome)
    """How the session ended."""
    n: int = integer()
    """How many batches there are."""
    events: int = integer()
    """How many events there are."""
    head: bytes = binary()
    """Hash of the last batch's header; of the certificate's payload when there is no batch."""
    at_ms: int = integer()
    """When the session ended; milliseconds since the epoch."""
