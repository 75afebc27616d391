"""Encryption at rest by AES-256-GCM: nonce (12) || ciphertext || tag, bound to its place by associated data.

The associated data names organisation, session and purpose, so that values cannot be swapped.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from promptster.errors import PromptsterError

_CONTEXT = b"promptster/at-rest/1\x00"
_NONCE = 12


class UnsealError(PromptsterError):
    """A stored value cannot be decrypted: wrong key, wrong place, or changed bytes."""

    default_code = "unsealable"


def associated_data(organisation: str, session: str, purpose: str) -> bytes:
    """Associated data from three names, each with its length, after a fixed context."""
    parts = [name.encode() for name in (organisation, session, purpose)]
    return _CONTEXT + b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def seal(key: bytes, plain: bytes, aad: bytes) -> bytes:
    """Encrypt under a 32-byte key."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, aad)


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Decrypt what ``seal`` returned.

    Raises:
        UnsealError: wrong key or place, or changed bytes.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], aad)
    except (InvalidTag, ValueError) as error:
        raise UnsealError("a stored value cannot be decrypted") from error


class Sealer:
    """Encrypts and decrypts with one key, bound to an organisation and a session."""

    def __init__(self, key: bytes, *, organisation: str, session: str = "") -> None:
        self._key = key
        self._organisation = organisation
        self._session = session

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """Encrypt for one purpose."""
        return seal(self._key, plain, associated_data(self._organisation, self._session, purpose))

    def unseal(self, sealed: bytes, purpose: str) -> bytes:
        """Decrypt what was sealed for this purpose.

        Raises:
            UnsealError: wrong key, place or purpose, or changed bytes.
        """
        return unseal(self._key, sealed, associated_data(self._organisation, self._session, purpose))
