"""Bundles of made-up sessions: real signatures by a made-up candidate and a made-up collector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.helpers.certified import Certified

from promptster.protocol.batch import header_sha256, open_body, parse_batch, seal_batch
from promptster.protocol.bundle import BundleBatch, parts_from_batches, write_bundle
from promptster.protocol.events import Draft, RecordedEvent, compose
from promptster.protocol.receipt import Check, Close, CloseOutcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.protocol.events import OpenedEvent

BATCH_EVENTS = 20


@dataclass
class Bundler:
    """Seals, receives, checks and closes a session, and bundles it."""

    certified: Certified = field(default_factory=Certified)
    delay_ms: int = 900
    """How long after its last event a batch is received."""

    def recorded(self, events: Sequence[OpenedEvent]) -> list[RecordedEvent]:
        """The events with salts and commitments."""
        return [
            compose(
                Draft(
                    src=event.src,
                    event=event.event,
                    ms=event.ms,
                    mono_ms=event.mono_ms,
                    lane=event.lane,
                    refs=event.refs,
                ),
                seq=event.seq,
                src_seq=event.src_seq,
                random=self.certified.random,
            )
            for event in events
        ]

    def sealed(self, recorded: Sequence[RecordedEvent]) -> list[tuple[bytes, Receipt]]:
        """Every batch's wire bytes, and what the collector signs for it."""
        certified = self.certified
        found: list[tuple[bytes, Receipt]] = []
        prev = certified.certificate.sha256
        for n, first in enumerate(range(0, len(recorded), BATCH_EVENTS)):
            part = recorded[first : first + BATCH_EVENTS]
            wire = seal_batch(
                part,
                session=certified.session,
                n=n,
                first=first,
                prev=prev,
                session_key=certified.secrets.signing_key,
                content_key=certified.secrets.content_key,
                random=certified.random,
            )
            prev = header_sha256(parse_batch(wire).header_bytes)
            receipt = Receipt(
                kid=certified.collector_key.kid,
                session=certified.session,
                n=n,
                header_sha256=prev,
                received_ms=part[-1].parsed.ms + self.delay_ms,
            )
            found.append((wire, receipt))
        return found

    def bundle(
        self, events: Sequence[OpenedEvent], *, closed: bool = True, leave_out: frozenset[int] = frozenset()
    ) -> bytes:
        """The bundle's bytes.

        Args:
            events: the whole session, the last event being ``closed``.
            closed: whether the collector signed its end.
            leave_out: numbers of batches whose body nobody could open.
        """
        certified, recorded = self.certified, self.recorded(events)
        sealed = self.sealed(recorded)
        batches: list[BundleBatch] = []
        for wire, receipt in sealed:
            batch = parse_batch(wire)
            shown = [] if receipt.n in leave_out else open_body(batch, certified.secrets.content_key)
            batches.append(BundleBatch.from_wire(batch, shown))
        receipts = [receipt for _, receipt in sealed]
        close = Close(
            kid=certified.collector_key.kid,
            session=certified.session,
            outcome=CloseOutcome.SUBMITTED,
            n=len(batches),
            events=len(recorded),
            head=receipts[-1].header_sha256,
            at_ms=receipts[-1].received_ms,
        )
        sign = certified.collector_key.sign
        signed = [sign(receipt) for receipt in receipts]
        checkpoint, proofs = certified.logged(signed) if certified.limits else (None, ())
        return write_bundle(
            parts_from_batches(
                keys=certified.keyfile,
                certificate=certified.certificate,
                policy=certified.policy,
                consent=certified.consent,
                batches=batches,
                receipts=signed,
                checks=[sign(check_of(receipt, ok=receipt.n not in leave_out)) for receipt in receipts],
                close=sign(close) if closed else None,
                checkpoint=checkpoint,
                proofs=proofs,
            )
        )


def check_of(receipt: Receipt, *, ok: bool = True) -> Check:
    """The collector's signed statement about what it found in a batch."""
    return Check(
        kid=receipt.kid,
        session=receipt.session,
        n=receipt.n,
        header_sha256=receipt.header_sha256,
        ok=ok,
        code=None if ok else "body",
        discarded=0,
    )
