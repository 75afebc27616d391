"""The invite: the document that the collector signs, and the code or link that carries its one-time secret."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import ClassVar

from promptster.protocol.documents import Document, DocumentType, binary, hex_digest, identifier, integer, text
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import EncodingError, InviteError
from promptster.protocol.signing import kid

_ID_CONTEXT = b"promptster/invite/1\x00"
_MAX_TEXT = 2048
_COPY = "Copy all of it, including the part after #."
_LINK = re.compile(r"(?P<url>https?://[^\s#?@\\]+?)/i/(?P<id>[^/#]+)#(?P<secret>[^.]+)\.(?P<pin>[^.]+)")


@dataclass(frozen=True, kw_only=True)
class Invite(Document):
    """What the collector answers to the secret, signed under the pinned key."""

    TYPE: ClassVar[DocumentType] = DocumentType.INVITE

    kid: str = identifier()
    """The collector's key that signed."""
    invite_id: str = identifier()
    """Derived from the secret; see ``invite_id_of``."""
    organisation: str = text()
    """The hiring organisation's name."""
    policy_sha256: str = hex_digest()
    """The policy's exact bytes."""
    sealing_key_id: str = identifier()
    """Names the key pair to which the content key is sealed."""
    sealing_public_key: bytes = binary()
    """X25519."""
    expires: int = integer()
    """Milliseconds since the epoch."""


def secret_sha256(secret: bytes) -> bytes:
    """The full hash of an invite's secret, under which the collector stores it."""
    return hashlib.sha256(_ID_CONTEXT + secret).digest()


def invite_id_of(secret: bytes) -> str:
    """The invite's public name: base64url of the first 16 bytes of its secret's hash."""
    return b64u_encode(secret_sha256(secret)[:16])


@dataclass(frozen=True)
class InviteCode:
    """What a candidate holds: enough to fetch the invite and to know the collector's key."""

    invite_id: str
    secret: bytes
    pin: str
    """``kid`` of the collector key under which the invite was made: the root of trust."""
    collector_url: str | None = None

    @classmethod
    def parse(cls, text: str) -> InviteCode:
        """Read ``ID.SECRET.PIN`` or ``URL/i/ID#SECRET.PIN``; white space around it is dropped.

        Raises:
            InviteError: when the text is neither, or its parts do not belong together.
        """
        text = text.strip()
        if len(text) > _MAX_TEXT:
            raise InviteError("too long for an invite link", code="invite_malformed", hint=_COPY)
        url: str | None = None
        if match := _LINK.fullmatch(text):
            url, parts = match["url"], [match["id"], match["secret"], match["pin"]]
        else:
            parts = text.split(".")
        try:
            identifier_bytes, secret, pin = (b64u_decode(part) for part in parts)
        except (EncodingError, ValueError):
            raise InviteError(
                "incomplete invite link",
                code="invite_malformed",
                hint=_COPY,
            ) from None
        if (len(identifier_bytes), len(secret), len(pin)) != (16, 32, 16):
            raise InviteError("incomplete invite link", code="invite_malformed", hint=_COPY)
        if invite_id_of(secret) != parts[0]:
            raise InviteError("the parts of this invite link do not belong together", code="invite_mixed", hint=_COPY)
        return cls(parts[0], secret, parts[2], url)

    @property
    def code(self) -> str:
        """``ID.SECRET.PIN``."""
        return f"{self.invite_id}.{b64u_encode(self.secret)}.{self.pin}"

    def link(self, url: str) -> str:
        """``URL/i/ID#SECRET.PIN`` below the collector's base URL."""
        return f"{url.rstrip('/')}/i/{self.invite_id}#{b64u_encode(self.secret)}.{self.pin}"


def new_invite_code(secret: bytes, collector_public_key: bytes) -> InviteCode:
    """The code for 32 fresh random bytes.

    Raises:
        InviteError: when the secret has the wrong length.
    """
    if len(secret) != 32:  # noqa: PLR2004 - said in the message
        raise InviteError("an invite's secret needs 32 bytes", code="invite_secret", fault="local")
    return InviteCode(invite_id_of(secret), secret, kid(collector_public_key))
