"""Everything stored about one session, in clear, for as long as an answer takes.

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
from promptster.protocol.fields import read_stored
from promptster.protocol.signing import Envelope
from promptster_collector.assessments.policies import policy_of
from promptster_collector.errors import NotFoundError
from promptster_collector.review.rows import by_batch, event_of, within_policy
from promptster_collector.review.segment_reader import SegmentReader
from promptster_collector.sessions.states import GONE
from promptster_collector.store.inbox import check_of, head_of, receipt_of, size_of, wire_of
from promptster_collector.store.keys.names import content_key, segment_key
from promptster_collector.store.schema import Batch, Segment, Session
from promptster_collector.store.sealing import Sealer
from promptster_collector.store.tombstones import buried

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Select

    from promptster.protocol.events import OpenedEvent, RecordedEvent
    from promptster_collector.settings import Limits
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store

_LIVE_GROUP = 8
"""Batches of a running session that are fetched at once."""


@dataclass(frozen=True, kw_only=True)
class StoredBatch:
    """One batch with everything that was signed about it."""

    n: int
    head: Envelope
    """Header and signature."""
    receipt: Envelope
    check: Envelope | None
    events: tuple[RecordedEvent, ...]
    """Empty when the body could not be opened."""


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """One session in clear."""

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
class Page:
    """Some events of a session, in order."""

    state: str
    events: tuple[OpenedEvent, ...]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One session as its sealer needs it."""

    content_key: bytes
    kinds: Collection[str]
    """Kinds of events that the policy allows."""
    wires: Iterator[bytes]
    """Every readable batch as it was sent, in order; read as they are taken."""


def segment_purpose(version: int) -> str:
    """What a segment's associated data says beside organisation and session."""
    return f"segment/{version}"


class Reading:
    """Reads sessions; whoever calls has asked the guard and written the audit row."""

    def __init__(self, store: Store, limits: Limits) -> None:
        """Keep where sessions are stored."""
        self._store = store
        self._limits = limits
        self._segments = SegmentReader()

    def close(self) -> None:
        """End what helps to read."""
        self._segments.close()

    async def record(self, organisation: str, session: str, *, with_events: bool = True) -> SessionRecord:
        """One session with all its batches.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        return await asyncio.to_thread(self.load, organisation, session, with_events=with_events)

    def load(self, organisation: str, session: str, *, with_events: bool) -> SessionRecord:
        """The same, waiting here. What is stored is fetched first and opened when no transaction is open any more."""
        row, batches, segment = self._store.database.read_now(
            lambda connection: (
                self._session(connection, organisation, session),
                connection.execute(_batches(organisation, session, with_bodies=with_events)).all(),
                self._segment_row(connection, organisation, session) if with_events else None,
            )
        )
        sealer = self._store.of_session(organisation, session)
        policy = sealer.unseal(row.policy_sealed, "policy")
        events: Mapping[int, tuple[RecordedEvent, ...]] = {}
        if segment is not None:
            events = by_batch(self._segments.whole(self._segment(organisation, session, segment)))
        elif with_events:
            events = self._from_inbox(organisation, session, batches, policy)
        return SessionRecord(
            organisation=organisation,
            session=session,
            state=row.state,
            person=row.person,
            certificate=Envelope.decode(sealer.unseal(row.certificate_sealed, "certificate")),
            consent=Envelope.decode(sealer.unseal(row.consent_sealed, "consent")),
            policy=policy,
            close=None if row.close_sealed is None else Envelope.decode(sealer.unseal(row.close_sealed, "close")),
            batches=tuple(
                StoredBatch(
                    n=batch.n,
                    head=head_of(sealer, batch),
                    receipt=receipt_of(sealer, batch),
                    check=check_of(sealer, batch),
                    events=events.get(batch.n, ()),
                )
                for batch in batches
            ),
        )

    @staticmethod
    def _session(connection: Connection, organisation: str, session: str) -> AnyRow:
        mine = (Session.id == session) & (Session.organisation == organisation)
        row = connection.execute(select(Session).where(mine)).one_or_none()
        if row is None:
            raise NotFoundError("there is no such session", code="unknown_session")
        if row.state in GONE:
            raise buried(row.state, row.tombstone)
        return row

    def _from_inbox(
        self, organisation: str, session: str, rows: Sequence[AnyRow], policy: bytes
    ) -> Mapping[int, tuple[RecordedEvent, ...]]:
        kinds = policy_of(policy).kinds
        key = self._store.keys.get(content_key(organisation, session))
        found: dict[int, tuple[RecordedEvent, ...]] = {}
        room = self._limits.opened_bytes
        for row in rows:
            events = within_policy(self._open(row, key), kinds)
            room -= sum(size_of(event) for event in events)
            if room < 0 and row.readable is None:
                break  # its check will say the same
            found[row.n] = events
        return found

    def _open(self, row: AnyRow, key: bytes) -> list[RecordedEvent]:
        if row.body_sealed is None or row.readable is False:
            return []
        try:
            return open_body(wire_of(self._store, row), key)
        except ProtocolError:
            return []

    def stored(self, organisation: str, session: str) -> Stored:
        """What a session that is not sealed yet is made of; blocks, and holds a few batches at a time.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        row = self._store.database.read_now(partial(self._session, organisation=organisation, session=session))
        policy = self._store.of_session(organisation, session).unseal(row.policy_sealed, "policy")
        return Stored(
            content_key=self._store.keys.get(content_key(organisation, session)),
            kinds=policy_of(policy).kinds,
            wires=self._wires(organisation, session),
        )

    def _wires(self, organisation: str, session: str) -> Generator[bytes]:
        after = -1
        while rows := self._store.database.read_now(
            partial(_batches_behind, organisation=organisation, session=session, after=after)
        ):
            for row in rows:
                if row.body_sealed is not None and row.readable is not False:
                    batch = wire_of(self._store, row)
                    yield join_wire(batch.header_bytes, batch.signature, batch.body)
            after = rows[-1].first + rows[-1].count - 1

    @staticmethod
    def _segment_row(connection: Connection, organisation: str, session: str) -> AnyRow | None:
        """The newest segment, if the session is sealed."""
        mine = (Segment.session == session) & (Segment.organisation == organisation)
        newest = select(Segment.version, Segment.file_sha256).where(mine)
        return connection.execute(newest.order_by(Segment.version.desc()).limit(1)).one_or_none()

    def _segment(self, organisation: str, session: str, row: AnyRow) -> bytes:
        """A segment's Parquet bytes."""
        sealed = self._store.segments.read(session, row.version, row.file_sha256)
        key = self._store.keys.get(segment_key(organisation, session, row.version))
        return Sealer(key, organisation=organisation, session=session).unseal(sealed, segment_purpose(row.version))

    async def page(self, organisation: str, session: str, *, after: int, limit: int) -> Page:
        """Events behind ``after``, opened; of a running session those that were received.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        return await asyncio.to_thread(self._page, organisation, session, after, limit)

    def _page(self, organisation: str, session: str, after: int, limit: int) -> Page:
        row, segment = self._store.database.read_now(
            lambda connection: (
                self._session(connection, organisation, session),
                self._segment_row(connection, organisation, session),
            )
        )
        if segment is not None:
            data = self._segment(organisation, session, segment)
            found = self._segments.page(data, after=after, limit=limit, size=self._limits.page_bytes)
            events = [event_of(event) for event in found]
        else:
            policy = self._store.of_session(organisation, session).unseal(row.policy_sealed, "policy")
            events = self._live(organisation, session, policy=policy, after=after, limit=limit)
        blocks = self._blocks(organisation, session, events)
        return Page(state=row.state, events=tuple(event.open(blocks) for event in events))

    def _live(self, organisation: str, session: str, *, policy: bytes, after: int, limit: int) -> list[RecordedEvent]:
        kinds = policy_of(policy).kinds
        key = self._store.keys.get(content_key(organisation, session))
        found: list[RecordedEvent] = []
        room = self._limits.page_bytes
        while len(found) < limit and room > 0:
            read = partial(_batches_behind, organisation=organisation, session=session, after=after)
            rows = self._store.database.read_now(read)
            if not rows:
                break
            for row in rows:
                for event in within_policy(self._open(row, key), kinds):
                    if event.seq <= after:
                        continue
                    room -= size_of(event)
                    if found and room < 0:
                        return found[:limit]
                    found.append(event)
            after = rows[-1].first + rows[-1].count - 1
        return found[:limit]

    def _blocks(self, organisation: str, session: str, events: list[RecordedEvent]) -> dict[bytes, bytes]:
        """Blocks that these events use; also those that travelled before them."""
        wanted = {block for event in events for block in _referred(event)}
        own = {block.id: block.data for event in events for block in event.blocks}
        if wanted <= own.keys():
            return own
        record = self.load(organisation, session, with_events=True)
        earlier = {block.id: block.data for batch in record.batches for event in batch.events for block in event.blocks}
        return {name: data for name, data in earlier.items() if name in wanted}


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


def _batches_behind(connection: Connection, organisation: str, session: str, after: int) -> Sequence[AnyRow]:
    behind = _batches(organisation, session, with_bodies=True).where(Batch.first + Batch.count > after + 1)
    return connection.execute(behind.limit(_LIVE_GROUP)).all()


def _referred(event: RecordedEvent) -> list[bytes]:
    found = (read_stored(secret.stored).block for secret in event.secrets.values())
    return [block for block in found if block is not None]
