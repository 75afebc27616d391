"""Every error that a reader or a writer of the wire raises.

``ProtocolError``
├── ``EncodingError``      base64url text, or a value that has no wire form
├── ``DocumentError``      bytes that are not a canonical document of the type asked for
│   ├── ``PolicyTextError``    a policy whose text does not match its settings
│   └── ``NewerVersionError``  what only a newer version of Promptster knows
├── ``SignatureError``     a key, a signature or the bytes it covers
├── ``KeyringError``       the succession of the collector's keys
├── ``InviteError``        an invite's code or link
├── ``EventError``         an event, its fields, its blocks
├── ``BatchError``         a batch's header, frames, order or root
│   └── ``LimitError``     something is larger than the protocol allows
├── ``SealError``          encryption: a wrong key, or changed ciphertext
├── ``LogError``           a checkpoint or a Merkle proof
└── ``BundleError``        a bundle that cannot be read
    └── ``ChecksumError``  a bundle whose form is right and whose content is not what was written

``code`` is a stable word, unique within its class. ``fault`` says whose mistake it is: ``"local"`` when our own side
tried to write what the protocol forbids, ``"remote"`` when bytes from elsewhere are malformed.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from promptster.errors import PromptsterError

Fault = Literal["local", "remote"]


class ProtocolError(PromptsterError):
    """The base of all errors of the wire."""

    default_code: ClassVar[str] = "protocol"

    def __init__(
        self, message: str, *, code: str | None = None, hint: str | None = None, fault: Fault = "remote"
    ) -> None:
        """Keep whose fault it is, along with the texts."""
        super().__init__(message, code=code, hint=hint)
        self.fault: Fault = fault


class EncodingError(ProtocolError):
    """A text is not canonical base64url, or a value has no wire form."""

    default_code = "encoding"


class DocumentError(ProtocolError):
    """Bytes are not a canonical document of the type asked for."""

    default_code = "document"


class PolicyTextError(DocumentError):
    """A policy's text does not match its settings."""

    default_code = "policy_text"


class NewerVersionError(DocumentError):
    """A document has a version, or says something, that only a newer version of Promptster knows."""

    default_code = "newer_version"


class SignatureError(ProtocolError):
    """A key is unsound, or a signature does not cover these bytes."""

    default_code = "signature"


class KeyringError(ProtocolError):
    """The succession of the collector's keys is not valid."""

    default_code = "keys"


class InviteError(ProtocolError):
    """A text is neither an invite's code nor its link."""

    default_code = "invite"


class EventError(ProtocolError):
    """An event, one of its fields or one of its blocks is malformed."""

    default_code = "event"


class BatchError(ProtocolError):
    """A batch's wire form, frames, order or root is malformed or wrong."""

    default_code = "batch"


class LimitError(BatchError):
    """Something is larger than the protocol allows."""

    default_code = "limit"


class SealError(ProtocolError):
    """Ciphertext does not open: another key, another place, or changed bytes."""

    default_code = "sealed"


class LogError(ProtocolError):
    """A checkpoint cannot be read, or a Merkle proof is not valid."""

    default_code = "log"


class BundleError(ProtocolError):
    """A file is not a bundle in its one canonical form."""

    default_code = "bundle"


class ChecksumError(BundleError):
    """A bundle's form is right, but a member is not what was written."""

    default_code = "checksum"
