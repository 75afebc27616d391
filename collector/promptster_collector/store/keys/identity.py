"""The collector's identity: the keys that sign its documents and its log, and their public succession."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptster.protocol.key_succession import (
    KeySuccession,
    first_key,
    keyfile_object,
    log_key,
    parse_keyfile,
    write_keyfile,
)
from promptster.protocol.signing import Envelope, SigningKey, fingerprint
from promptster_collector.errors import SetupError
from promptster_collector.store.keys.names import KeyName, Purpose

if TYPE_CHECKING:
    from promptster_collector.store.keys.keystore import KeyStore


def public_keyfile(records: list[tuple[Purpose, str, bytes]]) -> bytes:
    """The key file's exact bytes from the stored records."""
    if not records:
        raise SetupError("this data folder has no collector key", hint="Restore keystore.", code="no_keys")
    return write_keyfile(Envelope.decode(record) for _, _, record in records)


class PublicKeys:
    """The public key file, as clients get it."""

    def __init__(self, data: bytes, document: dict[str, Any]) -> None:
        self.data = data
        """Exact bytes."""
        self.document = document
        """The same as a JSON object."""


@dataclass(frozen=True, kw_only=True)
class CollectorIdentity:
    """The collector's current private keys, opened, and the public succession."""

    signer: SigningKey
    """Signs documents."""
    log_signer: SigningKey
    """Signs checkpoints."""
    public: PublicKeys
    """The public key file."""
    succession: KeySuccession
    """The same, verified."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the current collector key."""
        return fingerprint(self.signer.public_key)

    @classmethod
    def create(cls, keys: KeyStore, *, now_ms: int) -> CollectorIdentity:
        """Create the first collector key and the first log key."""
        signer = SigningKey.generate(os.urandom)
        log = SigningKey.generate(os.urandom)
        keys.put(
            {
                KeyName(purpose=Purpose.COLLECTOR, label=signer.kid): signer.seed,
                KeyName(purpose=Purpose.LOG, label=log.kid): log.seed,
            },
            created_ms=now_ms,
        )
        record = first_key(signer, created_ms=now_ms)
        keys.add_record(purpose=Purpose.COLLECTOR, kid=signer.kid, record=record.encode())
        record = log_key(signer, log.public_key, created_ms=now_ms)
        keys.add_record(purpose=Purpose.LOG, kid=log.kid, record=record.encode())
        return cls.load(keys)

    @classmethod
    def load(cls, keys: KeyStore) -> CollectorIdentity:
        """Open the newest key of each purpose.

        Raises:
            SetupError: there are none.
        """
        records = keys.records()
        keyfile = public_keyfile(records)
        current = {purpose: kid for purpose, kid, _ in records}
        seeds = {
            purpose: keys.get(KeyName(purpose=purpose, label=current[purpose]))
            for purpose in (Purpose.COLLECTOR, Purpose.LOG)
        }
        return cls(
            signer=SigningKey(seeds[Purpose.COLLECTOR]),
            log_signer=SigningKey(seeds[Purpose.LOG]),
            public=PublicKeys(keyfile, keyfile_object(Envelope.decode(record) for _, _, record in records)),
            succession=parse_keyfile(keyfile),
        )
