"""Consent, redemption and the session's certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from promptster.protocol.documents import (
    Document,
    DocumentType,
    binary,
    hex_digest,
    identifier,
    integer,
    is_printable,
    table,
    text,
)

_MAX_CHOICE = 200
LOG_LIMIT: Final = "log"
"""The limit by which a collector promises a log proof for every receipt."""
KNOWN_LIMITS: Final = frozenset({"batch_bytes", "batches_per_second", "body", "session_bytes", LOG_LIMIT})
"""Every limit that a certificate has had so far; ``body`` is an early name of ``batch_bytes``."""


def _is_choice(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and len(value) <= _MAX_CHOICE and is_printable(value))


def _is_limit(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


@dataclass(frozen=True, kw_only=True)
class Consent(Document):
    """What the candidate agreed to, signed with the session key made for it."""

    TYPE: ClassVar[DocumentType] = DocumentType.CONSENT

    organisation: str = text()
    """As named by the invite."""
    invite: str = identifier()
    """The invite's id."""
    policy_sha256: str = hex_digest()
    """The policy that was shown, byte for byte."""
    session: str = identifier()
    """16 random bytes chosen by the candidate."""
    session_public_key: bytes = binary()
    """The key that signs this consent and every batch."""
    sealing_key_id: str = identifier()
    """As named by the invite."""
    choices: Mapping[str, Any] = table(_is_choice)
    """Optional layers by name; what is not named is off."""
    locale: str = text(64)
    """The language in which the policy was shown."""
    shown_ms: int = integer()
    """When the policy was shown; milliseconds since the epoch."""
    decided_ms: int = integer()
    """When the candidate decided; milliseconds since the epoch."""
    cli: str = text(64)
    """The version of the candidate's program."""


@dataclass(frozen=True, kw_only=True)
class Redeem(Document):
    """Binds the sealed content key to the consent; signed with the session key."""

    TYPE: ClassVar[DocumentType] = DocumentType.REDEEM

    consent_sha256: bytes = binary()
    """Hash of the consent's payload."""
    box_sha256: bytes = binary()
    """Hash of the sealed box that carries the content key."""


@dataclass(frozen=True, kw_only=True)
class Certificate(Document):
    """The collector's word that this key may record this session."""

    TYPE: ClassVar[DocumentType] = DocumentType.CERTIFICATE

    kid: str = identifier()
    """The collector's key that signed."""
    session: str = identifier()
    """As chosen in the consent."""
    organisation: str = text()
    """The hiring organisation's name."""
    invite_id: str = identifier()
    """The invite that was used up."""
    session_public_key: bytes = binary()
    """The key that signs the session's batches."""
    consent_sha256: bytes = binary()
    """Hash of the consent's payload."""
    policy_sha256: str = hex_digest()
    """The policy in force."""
    record_until: int = integer()
    """The candidate's program refuses new events after this; milliseconds since the epoch."""
    upload_until: int = integer()
    """The collector refuses batches after this; milliseconds since the epoch."""
    limits: Mapping[str, int] = table(_is_limit)
    """Sizes and rates by name, as the collector enforces them; ``log`` says what its log contains."""
    continues: str | None = identifier(null=True)
    """The session that this one continues after a lost machine."""

    @property
    def promises_log(self) -> bool:
        """Whether every receipt of the session is in the collector's log: without a proof, something is missing."""
        return self.limits.get(LOG_LIMIT, 0) > 0

    @property
    def unknown_limits(self) -> tuple[str, ...]:
        """Limits that only a newer version knows: they may say how the session's values are to be read."""
        return tuple(sorted(self.limits.keys() - KNOWN_LIMITS))
