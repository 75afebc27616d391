"""Encryption: keys by HKDF, bodies and journal records under XChaCha20-Poly1305, the content key in a sealed box."""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Final

import nacl.exceptions
import nacl.public
import nacl.secret

from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import EncodingError, SealError
from promptster.protocol.signing import RandomBytes

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 24
TAG_SIZE: Final = 16
OVERHEAD: Final = NONCE_SIZE + TAG_SIZE
"""Bytes that sealing adds."""
SESSION_SIZE: Final = 16

_HASH_SIZE = 32
_BODY_CONTEXT = b"promptster/body/1\x00"
_JOURNAL_CONTEXT = b"promptster/journal/1\x00"


def hkdf(key: bytes, *, salt: bytes, info: bytes, length: int = KEY_SIZE) -> bytes:
    """HKDF-SHA256 of RFC 5869.

    Raises:
        SealError: when more than 255 blocks are asked for.
    """
    if not 0 < length <= 255 * _HASH_SIZE:
        raise SealError("hkdf cannot give that many bytes", code="hkdf_length", fault="local")
    pseudo_random_key = hmac.digest(salt or bytes(_HASH_SIZE), key, "sha256")
    output = block = b""
    counter = 0
    while len(output) < length:
        counter += 1
        block = hmac.digest(pseudo_random_key, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length]


def session_bytes(session: str) -> bytes:
    """The 16 bytes that a session's name encodes.

    Raises:
        SealError: when the text is not a session's name.
    """
    try:
        data = b64u_decode(session)
    except EncodingError:
        data = b""
    if len(data) != SESSION_SIZE:
        raise SealError("this is not a session's name", code="session")
    return data


def _check_key(key: bytes) -> bytes:
    if len(key) != KEY_SIZE:
        raise SealError(f"a key does not have {KEY_SIZE} bytes", code="key_size", fault="local")
    return key


def aead_seal(key: bytes, data: bytes, *, aad: bytes, random: RandomBytes) -> bytes:
    """A nonce of 24 bytes, then XChaCha20-Poly1305.

    Raises:
        SealError: when the key has the wrong length.
    """
    return bytes(nacl.secret.Aead(_check_key(key)).encrypt(data, aad, random(NONCE_SIZE)))


def aead_open(key: bytes, sealed: bytes, *, aad: bytes) -> bytes:
    """The bytes that ``aead_seal`` sealed.

    Raises:
        SealError: when key, place or bytes are not those of sealing.
    """
    box = nacl.secret.Aead(_check_key(key))
    if len(sealed) < OVERHEAD:
        raise SealError("sealed bytes are too short", code="sealed_short")
    try:
        return box.decrypt(sealed, aad)
    except nacl.exceptions.CryptoError:
        raise SealError("sealed bytes do not open with this key at this place", code="sealed") from None


def batch_key(content_key: bytes, session: str) -> bytes:
    """The key of a session's batch bodies."""
    return hkdf(_check_key(content_key), salt=session_bytes(session), info=b"promptster/batch/1")


def body_aad(session: str, n: int) -> bytes:
    """What ties a body to its session and number."""
    return _BODY_CONTEXT + session_bytes(session) + struct.pack(">Q", n)


def access_token(content_key: bytes, session: str) -> str:
    """The candidate's bearer token for rights over the session; the collector keeps only its SHA-256."""
    return "pa_" + b64u_encode(hkdf(_check_key(content_key), salt=session_bytes(session), info=b"promptster/access/1"))


class JournalCipher:
    """Encrypts journal records, each bound to its session and position."""

    def __init__(self, content_key: bytes, session: str) -> None:
        """Derive the journal's key from the session's content key.

        Raises:
            SealError: when key or session are malformed.
        """
        self._context = _JOURNAL_CONTEXT + session_bytes(session)
        self._key = hkdf(_check_key(content_key), salt=session_bytes(session), info=b"promptster/journal/1")

    def seal(self, data: bytes, *, position: int, random: RandomBytes) -> bytes:
        """Encrypt the record at ``position``."""
        return aead_seal(self._key, data, aad=self._context + struct.pack(">Q", position), random=random)

    def open(self, sealed: bytes, *, position: int) -> bytes:
        """Decrypt the record at ``position``.

        Raises:
            SealError: when it is another record, or changed.
        """
        return aead_open(self._key, sealed, aad=self._context + struct.pack(">Q", position))


class SealingKey:
    """The collector's X25519 pair for one invite."""

    def __init__(self, private_key: bytes) -> None:
        """Derive the public half from 32 private bytes.

        Raises:
            SealError: when they are not 32.
        """
        self.private_key = _check_key(private_key)
        self._key = nacl.public.PrivateKey(private_key)
        self.public_key = bytes(self._key.public_key)

    @classmethod
    def generate(cls, random: RandomBytes) -> SealingKey:
        """A new pair from 32 random bytes."""
        return cls(random(KEY_SIZE))

    @property
    def key_id(self) -> str:
        """The pair's name: base64url of the first 16 bytes of the public half's SHA-256."""
        return b64u_encode(hashlib.sha256(self.public_key).digest()[:16])

    def open_box(self, box: bytes) -> bytes:
        """The content key inside a sealed box.

        Raises:
            SealError: when the box is not for this pair, or holds something else than a key.
        """
        try:
            content_key = nacl.public.SealedBox(self._key).decrypt(box)
        except (nacl.exceptions.CryptoError, TypeError, ValueError):
            raise SealError("the sealed box does not open with this key", code="box") from None
        if len(content_key) != KEY_SIZE:
            raise SealError("the sealed box does not hold a content key", code="box")
        return content_key


def seal_box(content_key: bytes, sealing_public_key: bytes) -> bytes:
    """The content key for the holder of the sealing key only (libsodium's sealed box).

    Raises:
        SealError: when a key has the wrong length, or the public key is no sound point.
    """
    _check_key(content_key)
    try:
        return nacl.public.SealedBox(nacl.public.PublicKey(_check_key(sealing_public_key))).encrypt(content_key)
    except (nacl.exceptions.CryptoError, RuntimeError):
        raise SealError("the sealing key is not a sound point", code="sealing_key") from None


def open_box(box: bytes, sealing_private_key: bytes) -> bytes:
    """The content key inside a sealed box; see ``SealingKey.open_box``."""
    return SealingKey(sealing_private_key).open_box(box)
