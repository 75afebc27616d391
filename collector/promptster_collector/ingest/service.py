"""How one batch is stored: the cheapest check first, one durable commit, then the receipt's exact bytes.

What needs no row is done before the write transaction: form, signature, rate, encryption. Under the row lock only state
and order are checked and two rows are written. Opening and logging happen later, in the background.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, assert_never

from sqlalchemy import bindparam, func, insert, select, update

from promptster.protocol.encoding import b64u_decode
from promptster.protocol.errors import ProtocolError
from promptster.protocol.receipt import Receipt
from promptster.protocol.signing import Envelope, open_envelope
from promptster.protocol.transparency_log import log_leaf
from promptster_collector.access.rate_limits import RateLimiter
from promptster_collector.errors import BusyError, InvalidError
from promptster_collector.ingest.admission import THREAD_ABOVE, Admission
from promptster_collector.ingest.outcome import (
    FixedFacts,
    Known,
    Outcome,
    Overdue,
    PreparedBatch,
    Reason,
    Refused,
    Stored,
    refusal,
)
from promptster_collector.sessions.states import GONE, State
from promptster_collector.store.alarms import AlarmKind, raise_alarm
from promptster_collector.store.inbox import head_bytes
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.schema import BATCHES, SESSIONS, Batch, Conflict

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from promptster.protocol.batch import WireBatch
    from promptster_collector.access.rate_limits import FailureLimits
    from promptster_collector.clock import Clock
    from promptster_collector.sessions.lifecycle import Lifecycle
    from promptster_collector.settings import Limits
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store

_CONFLICTS = 4
"""The number of conflicting headers that are kept for a session."""


class BackgroundWork(Protocol):
    """The background work, as ingest sees it."""

    def wake(self) -> None:
        """Wake it: there is a new batch."""
        ...

    def urgent(self) -> AbstractContextManager[None]:
        """Hold it back while a sender waits for a receipt."""
        ...


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The answer to a stored batch."""

    receipt: bytes
    """The receipt's exact bytes."""
    checked_n: int
    """Highest batch that was opened and checked; -1 for none."""


class Ingest:
    """Receives batches."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        limits: Limits,
        *,
        lifecycle: Lifecycle,
        background: BackgroundWork,
        failures: FailureLimits,
        on_returned: Callable[[Connection, int], None],
    ) -> None:
        """Keep what ingest needs.

        Args:
            store: the collector's data.
            clock: the time.
            limits: the limits of a session.
            lifecycle: ends sessions whose time is over.
            background: is woken for each new batch.
            failures: counts requests that nobody signed.
            on_returned: is called with each receipt that the database had lost.
        """
        self._on_returned = on_returned
        self._store = store
        self._clock = clock
        self._limits = limits
        self._lifecycle = lifecycle
        self._background = background
        self._admission = Admission(store, limits, failures=failures)
        self._rate = RateLimiter(clock, amount=limits.batches_per_second, seconds=1.0)

    def forget(self, session: str) -> None:
        """Forget an erased session."""
        self._admission.forget(session)

    async def admit(self, session: str, n: int, start: bytes, *, sender: str) -> None:
        """Check the beginning of a batch, so that an unsigned one is refused before the rest is read.

        Raises:
            Refusal: as for ``put``.
            ProtocolError: this is not the beginning of a batch.
        """
        await self._admission.begin(session, n, start, sender=sender)

    async def put(self, session: str, n: int, wire: bytes, *, sender: str, earlier_receipt: str | None = None) -> Taken:
        """Store one batch that came from the network ``sender``.

        Raises:
            NotFoundError: there is no such session, or its key did not sign.
            BusyError: the session sends too fast, or too many unsigned batches came from ``sender``.
            Refusal: the batch was not stored; nothing was changed.
            ProtocolError: the bytes or the earlier receipt are malformed.
        """
        batch, facts = await self._admission.whole(session, n, wire, sender=sender)
        self._require_rate(session)
        try:
            with self._background.urgent():
                if len(wire) > THREAD_ABOVE:
                    prepared = await asyncio.to_thread(self._prepare, session, facts, batch, earlier_receipt)
                else:
                    prepared = self._prepare(session, facts, batch, earlier_receipt)
                outcome = await self._store.database.write(
                    lambda connection: self._store_batch(connection, prepared), savepoint=False
                )
            return await self._answer(prepared, outcome)
        except KeyDestroyedError:
            # Erased while this batch was being stored: the refusal must contain the tombstone, as soon as there is one.
            self.forget(session)
            await self._admission.facts_of(session)
            raise BusyError("the session's keys are missing", code="keys_missing", status=503) from None

    def _require_rate(self, session: str) -> None:
        """Count one batch that the session's key signed.

        Raises:
            BusyError: the session sends too fast.
        """
        wait = self._rate.take(session)
        if wait:
            raise BusyError("the session sends batches too fast", retry_after=wait)

    def _prepare(self, session: str, facts: FixedFacts, batch: WireBatch, earlier_receipt: str | None) -> PreparedBatch:
        now = self._clock.wall_ms()
        receipt = (
            self._new_receipt(batch, now) if earlier_receipt is None else self._own_receipt(batch, earlier_receipt)
        )
        receipt_bytes = receipt.encode()
        sealer = self._store.of_session(facts.organisation, session)
        header, n = batch.header, batch.header.n
        row = {
            "organisation": facts.organisation,
            "session": session,
            "n": n,
            "first": header.first,
            "count": header.count,
            "header_sha256": batch.header_sha256,
            "head_sealed": sealer.seal(head_bytes(batch), f"head/{n}"),
            "body_sealed": sealer.seal(batch.body, f"body/{n}"),
            "received_ms": Receipt.parse(receipt.payload).received_ms if earlier_receipt else now,
            "receipt_sealed": sealer.seal(receipt_bytes, f"receipt/{n}"),
            "leaf_sha256": log_leaf(receipt),
            "leaf_origin": None,
            "leaf_index": None,
            "checked_ms": None,
            "check_sealed": None,
            "readable": None,
        }
        return PreparedBatch(
            session=session,
            facts=facts,
            batch=batch,
            sealer=sealer,
            receipt=receipt_bytes,
            returned=earlier_receipt is not None,
            row=row,
            now_ms=now,
        )

    def _new_receipt(self, batch: WireBatch, now_ms: int) -> Envelope:
        signer = self._store.identity.signer
        return signer.sign(
            Receipt(
                kid=signer.kid,
                session=batch.header.session,
                n=batch.header.n,
                header_sha256=batch.header_sha256,
                received_ms=now_ms,
            )
        )

    def _own_receipt(self, batch: WireBatch, text: str) -> Envelope:
        """A receipt that this collector signed before its database was restored."""
        try:
            envelope = Envelope.decode(b64u_decode(text))
            key = self._store.identity.succession.find(Receipt.parse(envelope.payload).kid)
            if key is None:
                raise InvalidError("another collector signed the earlier receipt", code="receipt_unknown")
            receipt = open_envelope(Receipt, envelope, key)
        except ProtocolError as error:
            raise InvalidError("the earlier receipt cannot be read", code="receipt_invalid") from error
        mine = (batch.header.session, batch.header.n, batch.header_sha256)
        if (receipt.session, receipt.n, receipt.header_sha256) != mine:
            raise InvalidError("the earlier receipt belongs to another batch", code="receipt_invalid")
        return envelope

    def _store_batch(self, connection: Connection, prepared: PreparedBatch) -> Outcome:
        header = prepared.batch.header
        taken = connection.execute(_TAKE, _place(prepared, self._limits)).one_or_none()
        if taken is not None:
            # The usual case: the session is open and this is the next batch.
            connection.execute(_INSERT, prepared.row)
            self._note_returned(connection, prepared)
            return Stored(checked_n=taken.checked_n)
        row = connection.execute(_LOCKED, {"session": prepared.session}).one_or_none()
        if row is None:
            return Refused(reason=Reason.UNKNOWN_SESSION)
        if row.state in GONE:
            return Refused(reason=Reason.ERASED, state=row.state, tombstone=row.tombstone)
        if header.n < row.next_n:
            return self._known(connection, prepared, row.checked_n)
        if row.state != State.OPEN.value:
            return Refused(reason=Reason.CLOSED, close_sealed=row.close_sealed)
        return self._out_of_order(prepared, row)

    def _out_of_order(self, prepared: PreparedBatch, row: AnyRow) -> Overdue | Refused:
        """Why a new batch is not the next one."""
        header = prepared.batch.header
        if prepared.now_ms > row.upload_until_ms:
            return Overdue()
        reasons = {
            Reason.GAP: header.n > row.next_n,
            Reason.PREV_MISMATCH: header.prev != row.head_sha256,
            Reason.FIRST_MISMATCH: header.first != row.next_seq,
        }
        reason = next((reason for reason, holds in reasons.items() if holds), Reason.SESSION_FULL)
        return Refused(reason=reason, expected=row.next_n)

    def _note_returned(self, connection: Connection, prepared: PreparedBatch) -> None:
        if prepared.returned:
            self._on_returned(connection, prepared.row["received_ms"])
            raise_alarm(
                connection,
                prepared.facts.organisation,
                AlarmKind.RECEIPT_RETURNED,
                at_ms=prepared.now_ms,
                session=prepared.session,
            )

    def _known(self, connection: Connection, prepared: PreparedBatch, checked_n: int) -> Outcome:
        known = (Batch.session == prepared.session) & (Batch.n == prepared.batch.header.n)
        stored = connection.execute(
            select(Batch.header_sha256, Batch.head_sealed, Batch.receipt_sealed).where(known)
        ).one()
        if stored.header_sha256 == prepared.batch.header_sha256:
            return Known(receipt_sealed=stored.receipt_sealed, checked_n=checked_n)
        self._keep_conflict(connection, prepared)
        return Refused(reason=Reason.CONFLICT, head_sealed=stored.head_sealed, receipt_sealed=stored.receipt_sealed)

    def _keep_conflict(self, connection: Connection, prepared: PreparedBatch) -> None:
        of_session = Conflict.session == prepared.session
        same = of_session & (Conflict.header_sha256 == prepared.batch.header_sha256)
        if connection.execute(select(Conflict.id).where(same)).first() is not None:
            return
        if connection.execute(select(func.count()).where(of_session)).scalar_one() >= _CONFLICTS:
            return
        n = prepared.batch.header.n
        connection.execute(
            insert(Conflict),
            {
                "organisation": prepared.facts.organisation,
                "session": prepared.session,
                "n": n,
                "header_sha256": prepared.batch.header_sha256,
                "head_sealed": prepared.sealer.seal(head_bytes(prepared.batch), f"conflict/{n}"),
                "at_ms": prepared.now_ms,
            },
        )
        raise_alarm(
            connection,
            prepared.facts.organisation,
            AlarmKind.BATCH_CONFLICT,
            at_ms=prepared.now_ms,
            session=prepared.session,
        )

    async def _answer(self, prepared: PreparedBatch, outcome: Outcome) -> Taken:
        match outcome:
            case Stored():
                self._background.wake()
                return Taken(receipt=prepared.receipt, checked_n=outcome.checked_n)
            case Known():
                receipt = prepared.sealer.unseal(outcome.receipt_sealed, f"receipt/{prepared.batch.header.n}")
                return Taken(receipt=receipt, checked_n=outcome.checked_n)
            case Overdue():
                close = await self._lifecycle.lapse(prepared.session)
                if close is None:
                    raise BusyError("the session's last batches are being checked", code="checking", status=503)
                raise refusal(prepared, Refused(reason=Reason.CLOSED, close_sealed=close))
            case Refused():
                raise refusal(prepared, outcome)
            case _:
                assert_never(outcome)


def _place(prepared: PreparedBatch, limits: Limits) -> dict[str, object]:
    """The parameters of ``_TAKE``: conditions on the session, and its values after the batch."""
    header = prepared.batch.header
    return {
        "of_session": prepared.session,
        "n": header.n,
        "first": header.first,
        "prev": header.prev,
        "now_ms": prepared.now_ms,
        "room": limits.session_bytes - header.len,
        "next_n": header.n + 1,
        "next_seq": header.first + header.count,
        "head_sha256": prepared.batch.header_sha256,
        "len": header.len,
    }


_S = SESSIONS.c
_TAKE = (
    update(SESSIONS)
    .where(
        _S.id == bindparam("of_session"),
        _S.state == State.OPEN.value,
        _S.next_n == bindparam("n"),
        _S.next_seq == bindparam("first"),
        _S.head_sha256 == bindparam("prev"),
        _S.upload_until_ms >= bindparam("now_ms"),
        _S.stored_bytes <= bindparam("room"),
    )
    .values(
        next_n=bindparam("next_n"),
        next_seq=bindparam("next_seq"),
        head_sha256=bindparam("head_sha256"),
        stored_bytes=_S.stored_bytes + bindparam("len"),
    )
    .returning(_S.checked_n)
)
"""Advance the session's row if this is the next batch of an open session with room; takes the row's lock."""
_INSERT = insert(BATCHES)
_LOCKED = (
    select(_S.state, _S.next_n, _S.next_seq, _S.head_sha256, _S.checked_n, _S.upload_until_ms)
    .add_columns(_S.close_sealed, _S.tombstone)
    .where(_S.id == bindparam("session"))
    .with_for_update()
)
"""Read why a batch is not the next one."""
