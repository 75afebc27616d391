"""Bundles and evidence: what a third party needs to verify a session without the collector."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from promptster.protocol.bundle import BundleBatch, parts_from_batches, write_bundle
from promptster.protocol.encoding import b64u_encode
from promptster.replay.exporters import find
from promptster_collector.review.helper_messages import ExportTerms
from promptster_collector.review.helper_process import HelperProcess, HelperProcessError
from promptster_collector.review.segment_reader import ReadingFailedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator

    from promptster.replay.exporters.interface import Exporter
    from promptster_collector.ingest.receipt_log import Logged, TransparencyLog
    from promptster_collector.review.session_reader import SessionReader, SessionRecord
    from promptster_collector.store.event_row import EventRow
    from promptster_collector.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export with its media type and file suffix."""

    chunks: AsyncGenerator[bytes]
    """Its bytes; a helper process runs until they are read or this is closed."""
    media_type: str
    suffix: str


class Bundles:
    """Makes bundles, evidence and exports."""

    def __init__(self, store: Store, reading: SessionReader, log: TransparencyLog) -> None:
        self._store = store
        self._reading = reading
        self.log = log

    async def _logged(self, session: str, record: SessionRecord) -> Logged:
        """The log's proofs for a record's receipts, without proofs of receipts that arrived since."""
        logged = await asyncio.to_thread(
            self._store.database.read_now, lambda connection: self.log.of_session(connection, session)
        )
        known = {batch.n for batch in record.batches}
        return replace(logged, proofs=tuple(proof for proof in logged.proofs if proof.n in known))

    async def evidence(self, organisation: str, session: str) -> dict[str, Any]:
        """Everything that was signed about a session, without its events.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        record = await self._reading.record(organisation, session)
        logged = await self._logged(session, record)
        return {
            "keys": self._store.identity.public.document,
            "certificate": record.certificate.to_json(),
            "policy": b64u_encode(record.policy),
            "consent": record.consent.to_json(),
            "receipts": [batch.receipt.to_json() for batch in record.batches],
            "checks": [batch.check.to_json() for batch in record.batches if batch.check is not None],
            "close": None if record.close is None else record.close.to_json(),
            "redactions": [],
            "checkpoint": logged.checkpoint,
            "proofs": [
                {"n": proof.n, "index": proof.index, "proof": [b64u_encode(item) for item in proof.proof]}
                for proof in logged.proofs
            ],
        }

    async def bundle(self, organisation: str, session: str) -> Export:
        """The session's bundle; the same bytes before and after sealing.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
            ReadingFailedError: the helper process ended early.
        """
        return await self.export(organisation, session, find("bundle"))

    async def export(self, organisation: str, session: str, exporter: Exporter, *, candidate: str = "") -> Export:
        """The session in one of the formats of ``promptster.replay``.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
            ReadingFailedError: the helper process ended early.
        """
        record = await self._reading.record(organisation, session)
        logged = await self._logged(session, record)
        terms = ExportTerms(
            format=exporter.name,
            batches=[batch.n for batch in record.batches],
            trusted=list(self._store.identity.succession.fingerprints),
            candidate=candidate,
        )
        process = HelperProcess()
        chunks = self._chunks(
            process, terms, self._signed(record, logged), self._reading.events_of(organisation, session)
        )
        try:
            # Errors must come before the answer begins.
            first = await asyncio.to_thread(next, chunks, b"")
        except BaseException:
            await asyncio.to_thread(process.kill)
            raise
        return Export(chunks=_following(first, chunks, process), media_type=exporter.media_type, suffix=exporter.suffix)

    @staticmethod
    def _chunks(
        process: HelperProcess, terms: ExportTerms, signed: bytes, events: Iterator[bytes | list[EventRow]]
    ) -> Generator[bytes]:
        try:
            process.begin_export(terms, signed)
            for some in events:
                process.give(some)
            yield from process.export()
        except HelperProcessError as error:
            raise ReadingFailedError("the session cannot be read right now", retry_after=30) from error

    def _signed(self, record: SessionRecord, logged: Logged) -> bytes:
        """All signed documents, as a bundle without events."""
        parts = parts_from_batches(
            keys=self._store.identity.public.data,
            certificate=record.certificate,
            policy=record.policy,
            consent=record.consent,
            batches=[
                BundleBatch(header_bytes=batch.head.payload, signature=batch.head.signature) for batch in record.batches
            ],
            receipts=[batch.receipt for batch in record.batches],
            checks=[batch.check for batch in record.batches if batch.check is not None],
            close=record.close,
            checkpoint=logged.checkpoint,
            proofs=logged.proofs,
        )
        return write_bundle(parts)


async def _following(first: bytes, chunks: Iterator[bytes], process: HelperProcess) -> AsyncGenerator[bytes]:
    """All chunks; the process is killed if the reader stops."""
    try:
        chunk = first
        while chunk:
            yield chunk
            chunk = await asyncio.to_thread(next, chunks, b"")
    finally:
        process.kill()
