"""One export, made in a helper process: the session's signed documents come first, then its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptster.protocol.bundle import BundleBatch, BundleParts, parts_from_batches, read_bundle, write_bundle
from promptster.protocol.verification import verify_parts
from promptster.replay.exporters import find
from promptster.replay.loading import ReplayHeading, from_verification
from promptster_collector.review.rows import by_batch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from promptster.protocol.events import RecordedEvent
    from promptster_collector.review.helper_messages import ExportTerms
    from promptster_collector.store.event_row import EventRow

_CHUNK: Final = 1 << 20
"""Bytes of one chunk."""


class ExportJob:
    """Collects the events of a session and makes an export of them."""

    def __init__(self, terms: ExportTerms, signed: bytes) -> None:
        """Begin.

        Args:
            terms: what the export should be.
            signed: a bundle of the session that has no events yet.
        """
        self._terms = terms
        self._signed = read_bundle(signed)
        self._events: dict[int, tuple[RecordedEvent, ...]] = {}

    def add(self, rows: Iterable[EventRow]) -> None:
        """Add events; those of one batch may come in several calls."""
        for n, events in by_batch(rows).items():
            self._events[n] = self._events.get(n, ()) + events

    def chunks(self) -> Generator[bytes]:
        """The export in chunks; the events are released."""
        parts = self._parts()
        self._events.clear()
        buffer = bytearray()
        for piece in self._pieces(parts):
            for start in range(0, len(piece), _CHUNK):
                buffer += piece[start : start + _CHUNK]
                if len(buffer) >= _CHUNK:
                    yield bytes(buffer)
                    buffer.clear()
        if buffer:
            yield bytes(buffer)

    def _pieces(self, parts: BundleParts) -> Iterable[bytes]:
        exporter = find(self._terms.format)
        if exporter.needs_bundle:
            return [write_bundle(parts)]
        verification = verify_parts(parts, trusted=self._terms.trusted)
        return exporter.export(from_verification(verification, facts=ReplayHeading(candidate=self._terms.candidate)))

    def _parts(self) -> BundleParts:
        signed = self._signed
        batches = [
            BundleBatch(header_bytes=header.payload, signature=header.signature, events=self._events.get(n, ()))
            for n, header in zip(self._terms.batches, signed.headers, strict=True)
        ]
        return parts_from_batches(
            keys=signed.keys,
            certificate=signed.certificate,
            policy=signed.policy,
            consent=signed.consent,
            batches=batches,
            receipts=signed.receipts,
            checks=signed.checks,
            close=signed.close,
            checkpoint=signed.checkpoint,
            proofs=signed.proofs,
        )
