"""Stored batches, decrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.protocol.batch import BatchHeader, WireBatch
from promptster.protocol.signing import SIGNATURE_SIZE, Envelope

if TYPE_CHECKING:
    from promptster.protocol.events import RecordedEvent
    from promptster_collector.store.at_rest import Sealer
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store


def head_bytes(batch: WireBatch) -> bytes:
    """A batch's header with its signature, as it is stored."""
    return batch.signature + batch.header_bytes


def read_head(stored: bytes) -> Envelope:
    """Header and signature as a signed document again."""
    return Envelope(stored[SIGNATURE_SIZE:], stored[:SIGNATURE_SIZE])


def size_of(event: RecordedEvent) -> int:
    """Size in bytes of a decrypted event with its values and blocks."""
    values = sum(len(secret.stored) for secret in event.secrets.values())
    return len(event.public) + values + sum(len(block.data) for block in event.blocks)


def head_of(sealer: Sealer, row: AnyRow) -> Envelope:
    """A batch's header with its signature.

    Raises:
        UnsealError: the row was changed.
    """
    return read_head(sealer.unseal(row.head_sealed, f"head/{row.n}"))


def wire_of(store: Store, row: AnyRow) -> WireBatch:
    """A batch as it was sent; its body must still be in the inbox.

    Raises:
        KeyDestroyedError: the session was erased.
        UnsealError: the row was changed.
    """
    sealer = store.of_session(row.organisation, row.session)
    head = head_of(sealer, row)
    return WireBatch(
        header=BatchHeader.parse(head.payload),
        header_bytes=head.payload,
        signature=head.signature,
        body=sealer.unseal(row.body_sealed, f"body/{row.n}"),
    )


def receipt_of(sealer: Sealer, row: AnyRow) -> Envelope:
    """A batch's receipt.

    Raises:
        UnsealError: the row was changed.
    """
    return Envelope.decode(sealer.unseal(row.receipt_sealed, f"receipt/{row.n}"))


def check_of(sealer: Sealer, row: AnyRow) -> Envelope | None:
    """A batch's check, once there is one.

    Raises:
        UnsealError: the row was changed.
    """
    return None if row.check_sealed is None else Envelope.decode(sealer.unseal(row.check_sealed, f"check/{row.n}"))
