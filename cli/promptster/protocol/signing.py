"""Ed25519 over DSSE's pre-authentication encoding, one payload type per kind of document.

Libraries disagree on malleable scalars and small-order points, so these are refused here before libsodium is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import nacl.bindings
import nacl.exceptions

from promptster.protocol.documents import Document, DocumentType, decode, encode
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import DocumentError, EncodingError, SignatureError

RandomBytes = Callable[[int], bytes]
"""A source of random bytes: called with a length."""

PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64

_PRIME = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_ORDER_8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER_Y = frozenset({0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8})
"""The y coordinates of the eight points whose order divides 8."""

_ENVELOPE_LIMIT = 2 << 20

D = TypeVar("D", bound=Document)


def kid(public_key: bytes) -> str:
    """The short name of a public key: base64url of the first 16 bytes of its SHA-256. An invite's pin is the same."""
    return b64u_encode(hashlib.sha256(public_key).digest()[:16])


def fingerprint(public_key: bytes) -> str:
    """The full name of a public key: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(public_key).hexdigest()


def pre_authentication_encoding(document_type: DocumentType, payload: bytes) -> bytes:
    """What a signature covers: DSSE's PAE of type and payload."""
    media_type = document_type.media_type.encode("ascii")
    return b"DSSEv1 %d %b %d %b" % (len(media_type), media_type, len(payload), payload)


def _check_point(encoded: bytes, what: str, code: str) -> None:
    y = int.from_bytes(encoded, "little") & ((1 << 255) - 1)
    if y >= _PRIME:
        raise SignatureError(f"{what} is not canonically encoded", code=f"{code}_not_canonical")
    if y in SMALL_ORDER_Y:
        raise SignatureError(f"{what} is of small order", code=f"{code}_small_order")


def check_public_key(public_key: bytes) -> None:
    """Refuse keys that cannot stand for one signer.

    Raises:
        SignatureError: on another length, a non-canonical encoding or a point of small order.
    """
    if len(public_key) != PUBLIC_KEY_SIZE:
        raise SignatureError("a public key does not have 32 bytes", code="public_key_size")
    _check_point(public_key, "the public key", "public_key")


def verify_message(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check a plain Ed25519 signature, with the refusals of this protocol.

    Raises:
        SignatureError: when key, signature or message do not belong together.
    """
    check_public_key(public_key)
    if len(signature) != SIGNATURE_SIZE:
        raise SignatureError("a signature does not have 64 bytes", code="signature_size")
    _check_point(signature[:32], "the signature's point", "signature_point")
    if int.from_bytes(signature[32:], "little") >= _ORDER:
        raise SignatureError("the signature's scalar is not reduced", code="signature_scalar")
    try:
        nacl.bindings.crypto_sign_open(signature + message, public_key)
    except nacl.exceptions.BadSignatureError:
        raise SignatureError("the signature does not match", code="signature_mismatch") from None


def verify(public_key: bytes, document_type: DocumentType, payload: bytes, signature: bytes) -> None:
    """Check a document's signature.

    Raises:
        SignatureError: when the signature is not this key's over this payload as this type.
    """
    verify_message(public_key, pre_authentication_encoding(document_type, payload), signature)


@dataclass(frozen=True)
class Envelope:
    """A signed document as it is stored and exported: its exact bytes and the signature over them."""

    payload: bytes
    signature: bytes

    def to_json(self) -> dict[str, str]:
        """The envelope as a JSON object."""
        return {"payload": b64u_encode(self.payload), "signature": b64u_encode(self.signature)}

    @classmethod
    def from_json(cls, value: object) -> Envelope:
        """Read an envelope's JSON object.

        Raises:
            DocumentError: when it is not one.
        """
        entries = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        payload, signature = entries.get("payload"), entries.get("signature")
        if len(entries) != 2 or not isinstance(payload, str) or not isinstance(signature, str):  # noqa: PLR2004 - these two
            raise DocumentError("an envelope needs exactly payload and signature", code="envelope")
        try:
            envelope = cls(b64u_decode(payload), b64u_decode(signature))
        except EncodingError as error:
            raise DocumentError(f"malformed envelope: {error}", code="envelope") from None
        if len(envelope.signature) != SIGNATURE_SIZE:
            raise DocumentError("an envelope's signature does not have 64 bytes", code="envelope")
        return envelope

    def encode(self) -> bytes:
        """The envelope as a canonical document."""
        return encode(self.to_json())

    @classmethod
    def decode(cls, data: bytes) -> Envelope:
        """Read ``encode``'s bytes.

        Raises:
            DocumentError: when they are not an envelope in canonical form.
        """
        return cls.from_json(decode(data, limit=_ENVELOPE_LIMIT))

    @property
    def sha256(self) -> bytes:
        """The hash by which other documents name this one; it leaves the signature out."""
        return hashlib.sha256(self.payload).digest()


class SigningKey:
    """An Ed25519 private key."""

    def __init__(self, seed: bytes) -> None:
        """Derive the pair from its 32-byte seed.

        Raises:
            SignatureError: when the seed has the wrong length.
        """
        if len(seed) != nacl.bindings.crypto_sign_SEEDBYTES:
            raise SignatureError("a signing key's seed does not have 32 bytes", code="seed_size", fault="local")
        self.seed = seed
        self.public_key, self._secret = nacl.bindings.crypto_sign_seed_keypair(seed)

    @classmethod
    def generate(cls, random: RandomBytes) -> SigningKey:
        """A new key from 32 random bytes."""
        return cls(random(nacl.bindings.crypto_sign_SEEDBYTES))

    @property
    def kid(self) -> str:
        """The short name of the public half."""
        return kid(self.public_key)

    def sign_message(self, message: bytes) -> bytes:
        """A plain signature of 64 bytes."""
        return nacl.bindings.crypto_sign(message, self._secret)[:SIGNATURE_SIZE]

    def sign_bytes(self, document_type: DocumentType, payload: bytes) -> bytes:
        """The signature over ``payload`` as a document of that type."""
        return self.sign_message(pre_authentication_encoding(document_type, payload))

    def sign(self, document: Document) -> Envelope:
        """Sign a document."""
        payload = document.payload()
        return Envelope(payload, self.sign_bytes(document.TYPE, payload))


def open_envelope(cls: type[D], envelope: Envelope, public_key: bytes) -> D:
    """Check an envelope's signature as that of a ``cls``, then read the document.

    Raises:
        SignatureError: when the signature is not this key's over such a document.
        DocumentError: when the signed bytes are not such a document.
    """
    verify(public_key, cls.TYPE, envelope.payload, envelope.signature)
    return cls.parse(envelope.payload)
