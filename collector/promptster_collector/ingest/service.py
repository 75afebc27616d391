"""The path of one batch: cheapest check first, one durable commit, the receipt's exact bytes.

Everything that needs no row is done before the writer's turn: form, signature, rate, sealing. Under the row lock stand
only state, order and the two rows. Nothing else is on this path; opening and logging come behind it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import bindparam, func, insert, select, update

from promptster.protocol.encoding import b64u_decode
from promptster.protocol.errors import ProtocolError
from promptster.protocol.receipt import Receipt
from promptster.protocol.signing import Envelope, open_envelope
from promptster.protocol.transparency_log import log_leaf
from promptster_collector.access.rate_limits import RateLimiter
from promptster_collector.errors import BusyError, InvalidError
from promptster_collector.ingest.admission import THREAD_ABOVE, Admission
from promptster_collector.ingest.outcome import Facts, Outcome, Prepared, refusal
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
"""Second headers kept for a session."""


class BackgroundWork(Protocol):
    """The work behind ingest: woken by every stored batch, held back a moment while a batch is being stored."""

    def wake(self) -> None:
        """There is a new batch."""
        ...

    def urgent(self) -> AbstractContextManager[None]:
        """Somebody waits for a receipt."""
        ...


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A batch that is stored."""

    receipt: bytes
    """The receipt's exact bytes."""
    checked_n: int
    """Highest batch that was opened and checked; -1 for none."""


class Ingest:
    """Takes batches."""

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
        """Keep what a batch is held against.

        Args:
            store: what the collector keeps.
            clock: what time it is.
            limits: how much a session may send.
            lifecycle: what a session's state allows.
            background: is told about each new batch.
            failures: is told about what nobody signed.
            on_returned: is told about each receipt that the database had lost.
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
        """Drop what is remembered of a session that was erased."""
        self._admission.forget(session)

    async def admit(self, session: str, n: int, start: bytes, *, sender: str) -> None:
        """Refuse by its beginning what the session's key did not sign, before the rest of it is read.

        Raises:
            Refusal: as for ``put``.
            ProtocolError: the beginning is not that of a batch.
        """
        await self._admission.begin(session, n, start, sender=sender)

    async def put(self, session: str, n: int, wire: bytes, *, sender: str, earlier_receipt: str | None = None) -> Taken:
        """Take one batch that came from the network ``sender``.

        Raises:
            NotFoundError: there is no such session, or its key did not sign.
            BusyError: the session sends too fast, or its sender sent too much that was not signed.
            Refusal: with the problem that says why not; nothing was changed then.
            ProtocolError: the bytes or the earlier receipt are off.
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
            # Erased while this batch was under way: the refusal must carry the tombstone, as soon as it is stored.
            self.forget(session)
            await self._admission.facts_of(session)
            raise BusyError("the session's keys are not there", code="keys_missing", status=503) from None

    def _require_rate(self, session: str) -> None:
        """Count one batch that the session's key signed.

        Raises:
            BusyError: the session sends too fast.
        """
        wait = self._rate.take(session)
        if wait:
            raise BusyError("the session sends batches too fast", retry_after=wait)

    def _prepare(self, session: str, facts: Facts, batch: WireBatch, earlier_receipt: str | None) -> Prepared:
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
        return Prepared(
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
        """A receipt that this collector gave before its database was restored."""
        try:
            envelope = Envelope.decode(b64u_decode(text))
            key = self._store.identity.succession.find(Receipt.parse(envelope.payload).kid)
            if key is None:
                raise InvalidError("the earlier receipt is not one of this collector's", code="receipt_unknown")
            receipt = open_envelope(Receipt, envelope, key)
        except ProtocolError as error:
            raise InvalidError("the earlier receipt cannot be read", code="receipt_invalid") from error
        mine = (batch.header.session, batch.header.n, batch.header_sha256)
        if (receipt.session, receipt.n, receipt.header_sha256) != mine:
            raise InvalidError("the earlier receipt belongs to another batch", code="receipt_invalid")
        return envelope

    def _store_batch(self, connection: Connection, prepared: Prepared) -> Outcome:
        header = prepared.batch.header
        taken = connection.execute(_TAKE, _place(prepared, self._limits)).one_or_none()
        if taken is not None:
            # What nearly always holds: the session is open and this is the next batch, so its row has moved on.
            connection.execute(_INSERT, prepared.row)
            self._note_returned(connection, prepared)
            return Outcome(word="stored", checked_n=taken.checked_n)
        row = connection.execute(_LOCKED, {"session": prepared.session}).one_or_none()
        if row is None:
            return Outcome(word="unknown")
        if row.state in GONE:
            return Outcome(word=row.state, tombstone=row.tombstone)
        if header.n < row.next_n:
            return self._known(connection, prepared, row.checked_n)
        if row.state != State.OPEN.value:
            return Outcome(word="closed", close_sealed=row.close_sealed)
        return Outcome(word=self._out_of_order(prepared, row), expected=row.next_n)

    def _out_of_order(self, prepared: Prepared, row: AnyRow) -> str:
        """What keeps an unknown batch from being the next one; the first reason that holds."""
        header = prepared.batch.header
        reasons = {
            "lapsed": prepared.now_ms > row.upload_until_ms,
            "gap": header.n > row.next_n,
            "prev": header.prev != row.head_sha256,
            "first": header.first != row.next_seq,
        }
        return next((word for word, holds in reasons.items() if holds), "full")

    def _note_returned(self, connection: Connection, prepared: Prepared) -> None:
        if prepared.returned:
            self._on_returned(connection, prepared.row["received_ms"])
            raise_alarm(
                connection,
                prepared.facts.organisation,
                AlarmKind.RECEIPT_RETURNED,
                at_ms=prepared.now_ms,
                session=prepared.session,
            )

    def _known(self, connection: Connection, prepared: Prepared, checked_n: int) -> Outcome:
        known = (Batch.session == prepared.session) & (Batch.n == prepared.batch.header.n)
        stored = connection.execute(
            select(Batch.header_sha256, Batch.head_sealed, Batch.receipt_sealed).where(known)
        ).one()
        if stored.header_sha256 == prepared.batch.header_sha256:
            return Outcome(word="known", receipt_sealed=stored.receipt_sealed, checked_n=checked_n)
        self._keep_conflict(connection, prepared)
        return Outcome(
            word="conflict", head_sealed=stored.head_sealed, receipt_sealed=stored.receipt_sealed, checked_n=checked_n
        )

    def _keep_conflict(self, connection: Connection, prepared: Prepared) -> None:
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

    async def _answer(self, prepared: Prepared, outcome: Outcome) -> Taken:
        n, word = prepared.batch.header.n, outcome.word
        if word == "stored":
            self._background.wake()
            return Taken(receipt=prepared.receipt, checked_n=outcome.checked_n)
        if word == "known" and outcome.receipt_sealed is not None:
            receipt = prepared.sealer.unseal(outcome.receipt_sealed, f"receipt/{n}")
            return Taken(receipt=receipt, checked_n=outcome.checked_n)
        if word == "lapsed":
            close = await self._lifecycle.lapse(prepared.session)
            if close is None:
                raise BusyError("the session's last batches are being checked", code="checking", status=503)
            outcome = Outcome(word="closed", close_sealed=close)
        raise refusal(prepared, outcome)


def _place(prepared: Prepared, limits: Limits) -> dict[str, object]:
    """Where a batch goes: what must hold of its session, and what holds when it is stored."""
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
"""The session's row moves on if this is the next batch of an open session that has room; that takes the row's lock."""
_INSERT = insert(BATCHES)
_LOCKED = (
    select(_S.state, _S.next_n, _S.next_seq, _S.head_sha256, _S.checked_n, _S.upload_until_ms)
    .add_columns(_S.close_sealed, _S.tombstone)
    .where(_S.id == bindparam("session"))
    .with_for_update()
)
"""What tells why a batch is not the next one."""
