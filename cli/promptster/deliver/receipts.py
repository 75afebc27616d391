"""The collector's signed answers; an answer counts only if a trusted key signed it, about this session."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from promptster.protocol.errors import ProtocolError, SignatureError
from promptster.protocol.privacy import Tombstone
from promptster.protocol.receipt import Close, Receipt
from promptster.protocol.signing import Envelope, open_envelope

if TYPE_CHECKING:
    from promptster.deliver.trust import TrustedKeys


def read_receipt(data: bytes, *, keys: TrustedKeys, session: str, n: int, header_sha256: bytes | None) -> Receipt:
    """Read and verify the receipt for one batch.

    Args:
        data: the receipt's envelope, its exact bytes.
        keys: the collector's keys that are trusted.
        session: the session's id.
        n: the batch's number.
        header_sha256: the hash of the header that must have been received; ``None`` accepts any.

    Raises:
        ProtocolError: it is not a receipt of this collector for this batch.
    """
    envelope = Envelope.decode(data)
    receipt = Receipt.parse(envelope.payload)
    open_envelope(Receipt, envelope, keys.find(receipt.kid))
    if receipt.session != session or receipt.n != n:
        raise SignatureError("a receipt is for another batch", code="receipt_other")
    if header_sha256 is not None and receipt.header_sha256 != header_sha256:
        raise SignatureError("a receipt is for another batch of the same number", code="receipt_other")
    return receipt


class SessionEnding(StrEnum):
    """How a session ended at the collector."""

    SUBMITTED = "submitted"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    EXPIRED = "expired"


def read_ending(value: object, *, keys: TrustedKeys, session: str) -> SessionEnding:
    """Read how a session ended at the collector.

    Args:
        value: the JSON object of a tombstone's or a close document's envelope.
        keys: the collector's keys that are trusted.
        session: the session's id.

    Raises:
        ProtocolError: the collector did not sign that about this session.
    """
    envelope = Envelope.from_json(value)
    try:
        tombstone = Tombstone.parse(envelope.payload)
    except ProtocolError:
        close = Close.parse(envelope.payload)
        open_envelope(Close, envelope, keys.find(close.kid))
        named, ending = close.session, SessionEnding(close.outcome)
    else:
        open_envelope(Tombstone, envelope, keys.find(tombstone.kid))
        named, ending = tombstone.session, SessionEnding(tombstone.outcome)
    if named != session:
        raise SignatureError("a tombstone is for another session", code="tombstone_other")
    return ending
