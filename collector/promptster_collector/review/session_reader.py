"""Reads what is stored about a session: its signed documents, and its batches or its segment.

A session that is not sealed yet is read from the inbox, batch by batch; a sealed one from its segment. Both give the
same events, so every export is the same before and after sealing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from promptster.protocol.batch import join_wire, open_body
from promptster.protocol.errors import ProtocolError
from promptster.protocol.signing import Envelope
from promptster_collector.assessments.policies import policy_of
from promptster_collector.errors import UnknownSessionError
from promptster_collector.review.rows import row_of, within_policy
from promptster_collector.review.segment_reader import ReadingFailedError
from promptster_collector.sessions.states import GONE
from promptster_collector.store.at_rest import Sealer
from promptster_collector.store.inbox import check_of, head_of, receipt_of, size_of, wire_of
from promptster_collector.store.keys.names import content_key, segment_key
from promptster_collector.store.schema import Batch, Segment, Session
from promptster_collector.store.tombstones import erased_refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Select

    from promptster.protocol.events import RecordedEvent
    from promptster_collector.settings import Limits
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.event_row import EventRow
    from promptster_collector.store.segment_file import PieceReader
    from promptster_collector.store.store import Store

_LIVE_GROUP = 8


@dataclass(frozen=True, kw_only=True)
class StoredBatch:
    """All signed documents of one batch."""

    n: int
    head: Envelope
    """Header and signature."""
    receipt: Envelope
    check: Envelope | None


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """All signed documents of one session."""

    organisation: str
    session: str
    state: str
    person: str | None
    certificate: Envelope
    consent: Envelope
    policy: bytes
    close: Envelope | None
    batches: tuple[StoredBatch, ...]


@dataclass(frozen=True, kw_only=True)
class SessionToSeal:
    """One session, as sealing needs it."""

    content_key: bytes
    kinds: Collection[str]
    """Kinds of events that the policy allows."""
    wires: Iterator[bytes]
    """Every readable batch as it was sent, in order, read on demand."""


class SessionReader:
    """Reads sessions; the caller has passed the guard and recorded the read."""

    def __init__(self, store: Store, limits: Limits, *, group: int = _LIVE_GROUP) -> None:
        """``group``: how many batches of a running session are read from the database at once."""
        self._store = store
        self._limits = limits
        self._group = group

    async def record(self, organisation: str, session: str) -> SessionRecord:
        """All signed documents of one session.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        return await asyncio.to_thread(self._record, organisation, session)

    def _record(self, organisation: str, session: str) -> SessionRecord:
        row, batches = self._store.database.read_now(
            lambda connection: (
                self._session(connection, organisation, session),
                connection.execute(_batches(organisation, session, with_bodies=False)).all(),
            )
        )
        # Decryption happens after the transaction has ended.
        sealer = self._store.of_session(organisation, session)
        return SessionRecord(
            organisation=organisation,
            session=session,
            state=row.state,
            person=row.person,
            certificate=Envelope.decode(sealer.unseal(row.certificate_sealed, "certificate")),
            consent=Envelope.decode(sealer.unseal(row.consent_sealed, "consent")),
            policy=sealer.unseal(row.policy_sealed, "policy"),
            close=None if row.close_sealed is None else Envelope.decode(sealer.unseal(row.close_sealed, "close")),
            batches=tuple(
                StoredBatch(
                    n=batch.n,
                    head=head_of(sealer, batch),
                    receipt=receipt_of(sealer, batch),
                    check=check_of(sealer, batch),
                )
                for batch in batches
            ),
        )

    def events_of(self, organisation: str, session: str) -> Generator[bytes | list[EventRow]]:
        """All events of a session, for a helper process: pieces of a segment, or rows of each batch.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
            SegmentDamagedError: its segment is missing or changed.
        """
        row, segment = self.locate(organisation, session)
        if segment is not None:
            with self.pieces(organisation, session, segment) as pieces:
                yield from (pieces.read(number) for number in range(len(pieces)))
            return
        policy = self._store.of_session(organisation, session).unseal(row.policy_sealed, "policy")
        key, kinds = self._store.keys.get(content_key(organisation, session)), policy_of(policy).kinds
        room = self._limits.opened_bytes
        for batch in self._rows(organisation, session):
            events = within_policy(self._open(batch, key), kinds)
            room -= sum(size_of(event) for event in events)
            if room < 0 and batch.readable is None:
                return  # its check will say the same
            yield [row_of(batch.n, event) for event in events]

    def locate(self, organisation: str, session: str) -> tuple[AnyRow, AnyRow | None]:
        """A session, and its newest segment if it is sealed.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        return self._store.database.read_now(
            lambda connection: (
                self._session(connection, organisation, session),
                self._segment_row(connection, organisation, session),
            )
        )

    @staticmethod
    def _session(connection: Connection, organisation: str, session: str) -> AnyRow:
        mine = (Session.id == session) & (Session.organisation == organisation)
        row = connection.execute(select(Session).where(mine)).one_or_none()
        if row is None:
            raise UnknownSessionError
        if row.state in GONE:
            raise erased_refusal(row.state, row.tombstone)
        return row

    def _open(self, row: AnyRow, key: bytes) -> list[RecordedEvent]:
        if row.readable is False:
            return []
        if row.body_sealed is None:  # the session was sealed while it was being read
            raise ReadingFailedError("the session is being prepared for reading", retry_after=1)
        try:
            return open_body(wire_of(self._store, row), key)
        except ProtocolError:
            return []

    def stored(self, organisation: str, session: str) -> SessionToSeal:
        """The contents of a session that is not sealed yet; blocks, and holds a few batches at a time.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        row = self._store.database.read_now(partial(self._session, organisation=organisation, session=session))
        policy = self._store.of_session(organisation, session).unseal(row.policy_sealed, "policy")
        return SessionToSeal(
            content_key=self._store.keys.get(content_key(organisation, session)),
            kinds=policy_of(policy).kinds,
            wires=self._wires(organisation, session),
        )

    def _wires(self, organisation: str, session: str) -> Generator[bytes]:
        for row in self._rows(organisation, session):
            if row.body_sealed is not None and row.readable is not False:
                batch = wire_of(self._store, row)
                yield join_wire(batch.header_bytes, batch.signature, batch.body)

    def _rows(self, organisation: str, session: str, *, after: int = -1) -> Generator[AnyRow]:
        """Batches with events after ``after``, a few in memory at a time."""
        while rows := self._store.database.read_now(
            partial(_batches_after, organisation=organisation, session=session, after=after, limit=self._group)
        ):
            yield from rows
            after = rows[-1].first + rows[-1].count - 1

    @staticmethod
    def _segment_row(connection: Connection, organisation: str, session: str) -> AnyRow | None:
        """The newest segment, if the session is sealed."""
        mine = (Segment.session == session) & (Segment.organisation == organisation)
        newest = select(Segment.version, Segment.file_sha256).where(mine)
        return connection.execute(newest.order_by(Segment.version.desc()).limit(1)).one_or_none()

    def pieces(self, organisation: str, session: str, row: AnyRow) -> AbstractContextManager[PieceReader]:
        """The pieces of a segment that ``locate`` found.

        Raises:
            SegmentDamagedError: it is missing or changed.
        """
        key = self._store.keys.get(segment_key(organisation, session, row.version))
        sealer = Sealer(key, organisation=organisation, session=session)
        return self._store.segments.open(session, row.version, row.file_sha256, sealer)

    def live_events(
        self, organisation: str, session: str, *, policy_sealed: bytes, after: int = -1
    ) -> Generator[RecordedEvent]:
        """The events after ``after`` of a session that is not sealed yet, as far as its policy allows them."""
        policy = self._store.of_session(organisation, session).unseal(policy_sealed, "policy")
        kinds, key = policy_of(policy).kinds, self._store.keys.get(content_key(organisation, session))
        for row in self._rows(organisation, session, after=after):
            yield from (event for event in within_policy(self._open(row, key), kinds) if event.seq > after)


def _batches(organisation: str, session: str, *, with_bodies: bool) -> Select[*tuple[Any, ...]]:
    columns = [
        Batch.organisation,
        Batch.session,
        Batch.n,
        Batch.first,
        Batch.count,
        Batch.head_sealed,
        Batch.receipt_sealed,
        Batch.check_sealed,
        Batch.readable,
    ]
    body = [Batch.body_sealed] if with_bodies else []
    mine = (Batch.session == session) & (Batch.organisation == organisation)
    return select(*columns, *body).where(mine).order_by(Batch.n)


def _batches_after(connection: Connection, organisation: str, session: str, after: int, limit: int) -> Sequence[AnyRow]:
    following = _batches(organisation, session, with_bodies=True).where(Batch.first + Batch.count > after + 1)
    return connection.execute(following.limit(limit)).all()
