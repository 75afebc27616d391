"""Binary as text: unpadded base64url, in its one canonical spelling."""

from __future__ import annotations

import base64
import binascii
import re

from promptster.protocol.errors import EncodingError

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def b64u_encode(data: bytes) -> str:
    """Unpadded base64url of ``data``."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64u_decode(text: str) -> bytes:
    """The bytes that unpadded base64url encodes.

    Raises:
        EncodingError: on padding, foreign characters, or unused bits that are not zero.
    """
    if _ALPHABET.fullmatch(text) is None:
        raise EncodingError("base64url text holds a foreign character", code="base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise EncodingError("base64url text has an impossible length", code="base64url") from None
    if b64u_encode(data) != text:
        raise EncodingError("base64url text is not in its canonical form", code="base64url")
    return data
