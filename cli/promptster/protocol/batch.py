"""Batches: a signed header that anyone can check, and a sealed body that only the content key opens."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from promptster.protocol import merkle, sealing
from promptster.protocol.compression import MAX_INFLATED, compress, decompress
from promptster.protocol.documents import Document, DocumentType, binary, identifier, integer
from promptster.protocol.errors import BatchError, LimitError
from promptster.protocol.events import RecordedEvent, read_body
from promptster.protocol.events.body import MAX_TOGETHER
from promptster.protocol.signing import SIGNATURE_SIZE, Envelope, RandomBytes, SigningKey, verify

MAGIC: Final = b"PSB1"
MAX_HEADER: Final = 4 << 10
"""Bytes of a header."""
MAX_BODY: Final = 4 << 20
"""Bytes of a sealed body."""
MAX_EVENTS: Final = MAX_TOGETHER
"""Events of a batch."""
MAX_WIRE: Final = len(MAGIC) + 2 + MAX_HEADER + SIGNATURE_SIZE + MAX_BODY
"""Bytes of a whole batch."""


@dataclass(frozen=True, kw_only=True)
class BatchHeader(Document):
    """The signed part of a batch."""

    TYPE: ClassVar[DocumentType] = DocumentType.BATCH
    LIMIT: ClassVar[int] = MAX_HEADER

    session: str = identifier()
    """The session."""
    n: int = integer()
    """The batch's number, from 0."""
    first: int = integer()
    """``seq`` of the first event."""
    count: int = integer(1, MAX_EVENTS)
    """How many events there are."""
    root: bytes = binary()
    """Merkle root over the events' leaves."""
    prev: bytes = binary()
    """Hash of the previous header; of the certificate's payload for batch 0."""
    ct_sha256: bytes = binary()
    """Hash of the sealed body."""
    len: int = integer(sealing.OVERHEAD, MAX_BODY)
    """Bytes of the sealed body."""


@dataclass(frozen=True, kw_only=True)
class WireBatch:
    """A batch taken apart; only its form and lengths have been checked."""

    header: BatchHeader
    header_bytes: bytes
    signature: bytes
    body: bytes

    @property
    def header_sha256(self) -> bytes:
        """The hash by which the next header, receipts and checks name this batch."""
        return header_sha256(self.header_bytes)

    @property
    def envelope(self) -> Envelope:
        """Header and signature as a signed document."""
        return Envelope(self.header_bytes, self.signature)


def header_sha256(header_bytes: bytes) -> bytes:
    """The hash of a header's exact bytes."""
    return hashlib.sha256(header_bytes).digest()


def seal_batch(
    events: Sequence[RecordedEvent],
    *,
    session: str,
    n: int,
    first: int,
    prev: bytes,
    session_key: SigningKey,
    content_key: bytes,
    random: RandomBytes,
) -> bytes:
    """The whole wire form of a batch.

    Raises:
        BatchError: when the events do not follow each other from ``first``, or one lacks a value.
        LimitError: when they are too many or too large for one batch; a single event always fits.
    """
    if not events:
        raise BatchError("a batch holds at least one event", code="empty", fault="local")
    if len(events) > MAX_EVENTS:
        raise LimitError(f"a batch holds at most {MAX_EVENTS} events", code="event_count", fault="local")
    if any(event.seq != first + i for i, event in enumerate(events)):
        raise BatchError("the events of a batch do not follow each other", code="sequence", fault="local")
    if not all(event.complete for event in events):
        raise BatchError("an event lacks a value", code="value_missing", fault="local")
    plain = b"".join(event.frames() for event in events)
    if len(plain) > MAX_INFLATED:
        raise LimitError("the events are too large for one batch", code="inflated_size", fault="local")
    aad = sealing.body_aad(session, n)
    body = sealing.aead_seal(sealing.batch_key(content_key, session), compress(plain), aad=aad, random=random)
    if len(body) > MAX_BODY:
        raise LimitError("the events are too large for one batch", code="body_size", fault="local")
    header = BatchHeader(
        session=session,
        n=n,
        first=first,
        count=len(events),
        root=merkle.root([event.leaf for event in events]),
        prev=prev,
        ct_sha256=hashlib.sha256(body).digest(),
        len=len(body),
    )
    envelope = session_key.sign(header)
    return join_wire(envelope.payload, envelope.signature, body)


def join_wire(header_bytes: bytes, signature: bytes, body: bytes) -> bytes:
    """The wire form of a batch's parts."""
    return MAGIC + struct.pack(">H", len(header_bytes)) + header_bytes + signature + body


def head_bytes_needed(start: bytes) -> int:
    """How many bytes of a batch's wire form hold its header and signature; the first six bytes say so."""
    return 6 + int.from_bytes(start[4:6]) + SIGNATURE_SIZE


def parse_head(start: bytes) -> tuple[BatchHeader, Envelope]:
    """Take the beginning of a batch apart: the header, and the same with its signature, which nobody checked yet.

    A receiver that has these bytes knows whether the session's key signed them, before it takes any of the body.

    Raises:
        LimitError: when the header is too large.
        BatchError: when the bytes are not a batch, or do not reach to the end of the signature.
        DocumentError: when the header is not a canonical header.
    """
    _check_head(start, body=0)
    size = head_bytes_needed(start)
    envelope = Envelope(start[6 : size - SIGNATURE_SIZE], start[size - SIGNATURE_SIZE : size])
    return BatchHeader.parse(envelope.payload), envelope


def _check_head(wire: bytes, *, body: int) -> None:
    if not wire.startswith(MAGIC):
        raise BatchError("bytes do not start like a batch", code="magic")
    if int.from_bytes(wire[4:6]) > MAX_HEADER:
        raise LimitError(f"a header is larger than {MAX_HEADER} bytes", code="header_size")
    if len(wire) < head_bytes_needed(wire) + body:
        raise BatchError("a batch is cut", code="cut")


def parse_batch(wire: bytes) -> WireBatch:
    """Take a batch apart: sizes first, then the header's form. What it says is not yet anyone's word.

    Raises:
        LimitError: when a part is too large.
        BatchError: when the bytes are not a batch.
        DocumentError: when the header is not a canonical header.
    """
    if len(wire) > MAX_WIRE:
        raise LimitError(f"a batch is larger than {MAX_WIRE} bytes", code="wire_size")
    _check_head(wire, body=sealing.OVERHEAD)
    header, head = parse_head(wire)
    body = wire[head_bytes_needed(wire) :]
    if len(body) != header.len:
        raise BatchError("a body does not have the length that its header names", code="body_length")
    return WireBatch(header=header, header_bytes=head.payload, signature=head.signature, body=body)


def verify_batch_signature(batch: WireBatch, session_public_key: bytes) -> None:
    """Check that the session's key signed the header, and that the body is the one it names.

    Raises:
        SignatureError: when the key did not sign.
        BatchError: when the body is another.
    """
    verify(session_public_key, DocumentType.BATCH, batch.header_bytes, batch.signature)
    verify_batch_body(batch)


def verify_batch_body(batch: WireBatch) -> None:
    """Check that the body is the one that the header names.

    Raises:
        BatchError: when it is another.
    """
    if not hmac.compare_digest(hashlib.sha256(batch.body).digest(), batch.header.ct_sha256):
        raise BatchError("a body is not the one that its header names", code="body_hash")


def open_body(batch: WireBatch, content_key: bytes) -> list[RecordedEvent]:
    """Open a batch and check everything in it: every frame, commitment and value, the order, the count, the root.

    Raises:
        SealError: when the body does not open.
        LimitError: when it inflates too far.
        BatchError: when frame, order, count or root are malformed or wrong.
        EventError: when an event, a value or a block is malformed.
    """
    header = batch.header
    key = sealing.batch_key(content_key, header.session)
    plain = decompress(sealing.aead_open(key, batch.body, aad=sealing.body_aad(header.session, header.n)))
    events = read_body(plain)
    if len(events) != header.count:
        raise BatchError("a batch holds another number of events than its header names", code="count")
    if any(event.seq != header.first + i for i, event in enumerate(events)):
        raise BatchError("the events of a batch do not follow each other", code="sequence")
    if merkle.root([event.leaf for event in events]) != header.root:
        raise BatchError("the events of a batch are not those that its header names", code="root")
    for event in events:
        event.open()
    return events
