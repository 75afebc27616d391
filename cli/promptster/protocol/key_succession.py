"""The collector's public keys: a succession in which each key is signed by the one before.

The first collector key signs itself, so trust in it comes from outside: an invite's pin, a sign-in, or a key file. Log
keys are signed by a collector key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar, cast

from promptster.protocol.documents import (
    VERSION,
    Document,
    DocumentType,
    binary,
    choice,
    decode,
    encode,
    identifier,
    integer,
)
from promptster.protocol.errors import DocumentError, KeyringError, SignatureError
from promptster.protocol.signing import (
    Envelope,
    SigningKey,
    check_public_key,
    fingerprint,
    kid,
    verify,
)


class KeyPurpose(StrEnum):
    """What a key of the collector signs."""

    COLLECTOR = "collector"
    """Certificates, receipts, checks and everything else of the collector."""
    LOG = "log"
    """Checkpoints of its log."""


MAX_KEYS = 256
_MAX_KEYFILE = 256 << 10


@dataclass(frozen=True, kw_only=True)
class KeyRecord(Document):
    """Introduces one public key of the collector."""

    TYPE: ClassVar[DocumentType] = DocumentType.KEY

    kid: str = identifier()
    """The collector key that signed this record: itself for the first, its predecessor for the next ones."""
    purpose: KeyPurpose = choice(KeyPurpose)
    """``collector`` for documents, ``log`` for checkpoints."""
    public_key: bytes = binary()
    """Ed25519."""
    created_ms: int = integer()
    """When the key was made; milliseconds since the epoch."""
    previous: str | None = identifier(null=True)
    """The key of the same purpose that this one follows; null for the first."""


@dataclass(frozen=True)
class KeySuccession:
    """A verified succession, oldest key first."""

    collector: tuple[KeyRecord, ...]
    log: tuple[KeyRecord, ...]

    @property
    def current(self) -> KeyRecord:
        """The newest collector key."""
        return self.collector[-1]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The full names of the collector keys, oldest first."""
        return tuple(fingerprint(record.public_key) for record in self.collector)

    def position(self, key_id: str) -> int | None:
        """The position of the collector key named ``key_id`` in the succession."""
        return self._positions.get(key_id)

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return {kid(record.public_key): i for i, record in enumerate(self.collector)}

    def find(self, key_id: str) -> bytes | None:
        """The collector's public key named ``key_id``."""
        position = self.position(key_id)
        return None if position is None else self.collector[position].public_key

    def since(self, key_id: str) -> KeySuccession | None:
        """What the collector key named ``key_id`` vouches for: itself and its successors; ``None`` without that key.

        Earlier keys are left out: anyone can name a known key as their own successor.
        """
        position = self.position(key_id)
        return None if position is None else self.from_position(position)

    def from_position(self, position: int) -> KeySuccession:
        """What the collector key at ``position`` vouches for; see ``since``."""
        kept = self.collector[position:]
        signers = {kid(record.public_key) for record in kept}
        return KeySuccession(kept, tuple(record for record in self.log if record.kid in signers))

    def continues(self, earlier: KeySuccession) -> bool:
        """Whether this one begins with all of ``earlier``'s collector keys: a succession grows at its end only."""
        return self.fingerprints[: len(earlier.collector)] == earlier.fingerprints


def first_key(key: SigningKey, *, created_ms: int) -> Envelope:
    """The self-signed record that opens a succession."""
    record = KeyRecord(
        kid=key.kid, purpose=KeyPurpose.COLLECTOR, public_key=key.public_key, created_ms=created_ms, previous=None
    )
    return key.sign(record)


def next_key(signer: SigningKey, public_key: bytes, *, created_ms: int) -> Envelope:
    """The record by which the current collector key names its successor.

    No command of the collector changes its key yet; what verifies such records is tested with records made here.
    """
    record = KeyRecord(
        kid=signer.kid, purpose=KeyPurpose.COLLECTOR, public_key=public_key, created_ms=created_ms, previous=signer.kid
    )
    return signer.sign(record)


def log_key(signer: SigningKey, public_key: bytes, *, created_ms: int, previous: str | None = None) -> Envelope:
    """The record by which the current collector key names a key of the log."""
    record = KeyRecord(
        kid=signer.kid, purpose=KeyPurpose.LOG, public_key=public_key, created_ms=created_ms, previous=previous
    )
    return signer.sign(record)


def keyfile_object(records: Iterable[Envelope]) -> dict[str, Any]:
    """A key file as a JSON object."""
    return {"v": VERSION, "keys": [record.to_json() for record in records]}


def write_keyfile(records: Iterable[Envelope]) -> bytes:
    """A key file's exact bytes."""
    return encode(keyfile_object(records))


def parse_keyfile(data: bytes) -> KeySuccession:
    """Read a key file and verify its succession.

    Raises:
        DocumentError: when the bytes are not a key file in canonical form.
        KeyringError: when the succession is not valid.
    """
    return keys_from_object(decode(data, limit=_MAX_KEYFILE))


def keyfile_records(document: Mapping[str, Any]) -> list[Envelope]:
    """The envelopes of a key file's JSON object, not verified.

    Raises:
        DocumentError: when it is not a key file.
    """
    if set(document) != {"v", "keys"} or type(document["v"]) is not int or document["v"] != VERSION:
        raise DocumentError("a key file needs exactly v and keys", code="keyfile")
    items: object = document["keys"]
    if not isinstance(items, list) or not 1 <= len(cast("list[object]", items)) <= MAX_KEYS:
        raise DocumentError(f"a key file holds 1 to {MAX_KEYS} keys", code="keyfile")
    return [Envelope.from_json(item) for item in cast("list[object]", items)]


def keys_from_object(document: Mapping[str, Any]) -> KeySuccession:
    """Verify the succession in a key file's JSON object.

    Raises:
        DocumentError: when it is not a key file.
        KeyringError: when the succession is not valid.
    """
    collector: list[KeyRecord] = []
    log: list[KeyRecord] = []
    for envelope in keyfile_records(document):
        record = KeyRecord.parse(envelope.payload)
        line = collector if record.purpose is KeyPurpose.COLLECTOR else log
        _check_successor(record, line, collector)
        if any(known.public_key == record.public_key for known in (*collector, *log)):
            raise KeyringError("a key appears twice in the succession", code="key_repeated")
        signer = collector[-1].public_key if collector else record.public_key
        try:
            check_public_key(record.public_key)
            verify(signer, DocumentType.KEY, envelope.payload, envelope.signature)
        except SignatureError as error:
            raise KeyringError(
                f"a key of the succession is not signed by its predecessor: {error}", code="key_signature"
            ) from None
        line.append(record)
    return KeySuccession(tuple(collector), tuple(log))


def _check_successor(record: KeyRecord, line: list[KeyRecord], collector: list[KeyRecord]) -> None:
    if not collector and record.purpose is not KeyPurpose.COLLECTOR:
        raise KeyringError("a succession starts with a collector key", code="key_order")
    signer = collector[-1].public_key if collector else record.public_key
    if record.kid != kid(signer):
        raise KeyringError("a key is not signed by the collector key before it", code="key_order")
    previous = kid(line[-1].public_key) if line else None
    if record.previous != previous:
        raise KeyringError("a key does not follow the one before it", code="key_order")
