"""Admission of batches: their form, their session and number, and whether the session's key signed them.

Until its signature is verified, a batch counts as a stranger's: it uses up nothing of the session's rate, and the
answer is the same whether the session exists or not, in its bytes and in the work that it takes. Only an erased session
gets another answer: its tombstone is public, and no key is left to verify a signature with.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from typing import TYPE_CHECKING

from sqlalchemy import select

from promptster.protocol.batch import BatchHeader, WireBatch, parse_batch, parse_head, verify_batch_body
from promptster.protocol.errors import BatchError, LimitError, ProtocolError, SignatureError
from promptster.protocol.signing import Envelope, SigningKey, verify
from promptster_collector.errors import InvalidError, Refusal, UnknownSessionError
from promptster_collector.ingest.outcome import FixedFacts
from promptster_collector.store.schema import Session
from promptster_collector.store.tombstones import erased_refusal

if TYPE_CHECKING:
    from promptster_collector.access.rate_limits import FailureLimits
    from promptster_collector.settings import Limits
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store

THREAD_ABOVE = 256 * 1024
"""Size in bytes above which verification and encryption run in a thread."""
_FACTS = 4096
"""The number of sessions whose facts are remembered."""


class Admission:
    """Admits batches that their session's key signed."""

    def __init__(self, store: Store, limits: Limits, *, failures: FailureLimits) -> None:
        """Count unsigned batches in ``failures``."""
        self._store = store
        self._limits = limits
        self._failures = failures
        self._nobody = SigningKey.generate(os.urandom).public_key
        """The key to verify with if there is no session, so that this takes as long as if there were one."""
        self._facts: OrderedDict[str, FixedFacts] = OrderedDict()

    def forget(self, session: str) -> None:
        """Forget an erased session."""
        self._facts.pop(session, None)

    async def begin(self, session: str, n: int, start: bytes, *, sender: str) -> None:
        """Check the beginning of a batch, before the rest of it arrives.

        Raises:
            Refusal: the session's key did not sign it, or it belongs to another session or number.
            ProtocolError: this is not the beginning of a batch.
        """
        try:
            header, head = parse_head(start)
        except ProtocolError as error:
            raise self._failures.unsigned(sender, error) from None
        self._require_place(header, session, n, sender=sender)
        await self._signed_by(session, head, sender=sender)

    async def whole(self, session: str, n: int, wire: bytes, *, sender: str) -> tuple[WireBatch, FixedFacts]:
        """A complete batch that the key of this session signed.

        Raises:
            Refusal: the key did not sign it, it belongs to another session or number, or it is too large.
            ProtocolError: these are not the bytes of a batch.
        """
        try:
            batch = self._parse(wire)
        except (Refusal, ProtocolError) as error:
            raise self._failures.unsigned(sender, error) from None
        self._require_place(batch.header, session, n, sender=sender)
        facts = await self._signed_by(session, batch.envelope, sender=sender)
        try:
            if len(wire) > THREAD_ABOVE:
                await asyncio.to_thread(verify_batch_body, batch)
            else:
                verify_batch_body(batch)
        except BatchError as error:  # someone has only the signed header of a batch
            raise self._failures.unsigned(sender, error) from None
        return batch, facts

    async def facts_of(self, session: str) -> FixedFacts | None:
        """The constant facts of a session; ``None`` if there is none.

        Raises:
            GoneError: it was erased.
        """
        facts = self._facts.get(session)
        if facts is None:
            row = await self._read(session)
            if row is None:
                return None
            if row.public_key is None:
                raise erased_refusal(row.state, row.tombstone)
            facts = self._facts[session] = FixedFacts(organisation=row.organisation, public_key=row.public_key)
            if len(self._facts) > _FACTS:
                self._facts.popitem(last=False)
        return facts

    async def _read(self, session: str) -> AnyRow | None:
        columns = select(Session.organisation, Session.public_key, Session.state, Session.tombstone).where(
            Session.id == session
        )
        return await self._store.database.read(lambda connection: connection.execute(columns).one_or_none())

    def _parse(self, wire: bytes) -> WireBatch:
        try:
            batch = parse_batch(wire)
        except LimitError as error:
            raise Refusal(error.message, code=error.code, status=413) from error
        if batch.header.len > self._limits.batch_body:
            raise Refusal("the batch's body is too large", code="body_size", status=413)
        return batch

    def _require_place(self, header: BatchHeader, session: str, n: int, *, sender: str) -> None:
        if (header.session, header.n) != (session, n):
            refused = InvalidError("the batch belongs to another session or number", code="wrong_place")
            raise self._failures.unsigned(sender, refused)

    async def _signed_by(self, session: str, head: Envelope, *, sender: str) -> FixedFacts:
        remembered = session in self._facts
        facts = await self.facts_of(session)
        key = self._nobody if facts is None else facts.public_key
        try:
            verify(key, BatchHeader.TYPE, head.payload, head.signature)
        except SignatureError:
            facts = None
        if facts is None:
            if remembered:
                await self._read(session)  # as much work as for a session that is not remembered
            refused = UnknownSessionError()
            raise self._failures.unsigned(sender, refused)
        return facts
