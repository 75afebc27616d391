"""Bundles and evidence: what a third party needs to check a session without the collector."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptster.protocol.bundle import BundleBatch, parts_from_batches, write_bundle
from promptster.protocol.encoding import b64u_encode
from promptster.replay.session import Facts, from_bundle

if TYPE_CHECKING:
    from promptster.replay.exporters.interface import Exporter
    from promptster_collector.ingest.log import Log, Logged
    from promptster_collector.review.reading import Reading, SessionRecord
    from promptster_collector.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export with its media type and a name for a file."""

    data: bytes
    media_type: str
    suffix: str


class Bundles:
    """Makes bundles, evidence and exports."""

    def __init__(self, store: Store, reading: Reading, log: Log) -> None:
        """Keep where sessions and proofs come from."""
        self._store = store
        self._reading = reading
        self.log = log

    async def _logged(self, session: str) -> Logged:
        return await asyncio.to_thread(
            self._store.database.read_now, lambda connection: self.log.of_session(connection, session)
        )

    async def evidence(self, organisation: str, session: str) -> dict[str, Any]:
        """Everything that was signed about a session, without its events.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        record = await self._reading.record(organisation, session, with_events=False)
        logged = await self._logged(session)
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

    async def bundle(self, organisation: str, session: str) -> bytes:
        """The session's bundle; the same bytes before and after sealing.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        record = await self._reading.record(organisation, session)
        logged = await self._logged(session)
        return await asyncio.to_thread(self._bundle, record, logged)

    def _bundle(self, record: SessionRecord, logged: Logged) -> bytes:
        parts = parts_from_batches(
            keys=self._store.identity.public.data,
            certificate=record.certificate,
            policy=record.policy,
            consent=record.consent,
            batches=[
                BundleBatch(header_bytes=batch.head.payload, signature=batch.head.signature, events=batch.events)
                for batch in record.batches
            ],
            receipts=[batch.receipt for batch in record.batches],
            checks=[batch.check for batch in record.batches if batch.check is not None],
            close=record.close,
            checkpoint=logged.checkpoint,
            proofs=logged.proofs,
        )
        return write_bundle(parts)

    async def export(self, organisation: str, session: str, exporter: Exporter, *, candidate: str = "") -> Export:
        """The session in one of the formats of ``promptster.replay``.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        data = await self.bundle(organisation, session)

        def job() -> bytes:
            facts = Facts(candidate=candidate)
            replay = from_bundle(data, self._store.identity.succession.fingerprints, facts=facts)
            return b"".join(exporter.export(replay))

        exported = data if exporter.needs_bundle else await asyncio.to_thread(job)
        return Export(data=exported, media_type=exporter.media_type, suffix=exporter.suffix)
