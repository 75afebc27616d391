"""Everything stored about one session, in clear, for as long as an answer takes.

A session that is not sealed yet is read from the inbox, batch by batch; a sealed one from its segment. Both give the
same events, so every export is the same before and after sealing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from promptster.protocol.batch import open_body
from promptster.protocol.errors import ProtocolError
from promptster.protocol.fields import read_stored
from promptster.protocol.signing import Envelope
from promptster_collector.assessments.policies import policy_of
from promptster_collector.errors import GoneError, NotFoundError
from promptster_collector.review.rows import by_batch, event_of, within_policy
from promptster_collector.sessions.states import GONE
from promptster_collector.store.inbox import check_of, head_of, receipt_of, wire_of
from promptster_collector.store.keys.names import content_key, segment_key
from promptster_collector.store.parquet import read_parquet
from promptster_collector.store.schema import Batch, Segment, Session
from promptster_collector.store.sealing import Sealer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from promptster.protocol.events import OpenedEvent, RecordedEvent
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store


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


def segment_purpose(version: int) -> str:
    """What a segment's associated data says beside organisation and session."""
    return f"segment/{version}"


class Reading:
    """Reads sessions; whoever calls has asked the guard and written the audit row."""

    def __init__(self, store: Store) -> None:
        """Keep where sessions are stored."""
        self._store = store

    async def record(self, organisation: str, session: str, *, with_events: bool = True) -> SessionRecord:
        """One session with all its batches.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        return await asyncio.to_thread(
            self._store.database.read_now, lambda c: self.load(c, organisation, session, with_events=with_events)
        )

    def load(self, connection: Connection, organisation: str, session: str, *, with_events: bool) -> SessionRecord:
        """The same inside somebody's read."""
        row = self._session(connection, organisation, session)
        sealer = self._store.of_session(organisation, session)
        policy = sealer.unseal(row.policy_sealed, "policy")
        rows = connection.execute(select(Batch).where(Batch.session == session).order_by(Batch.n)).all()
        events = self._events(connection, organisation, rows, policy) if with_events else {}
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
                for batch in rows
            ),
        )

    @staticmethod
    def _session(connection: Connection, organisation: str, session: str) -> AnyRow:
        mine = (Session.id == session) & (Session.organisation == organisation)
        row = connection.execute(select(Session).where(mine)).one_or_none()
        if row is None:
            raise NotFoundError("there is no such session", code="unknown_session")
        if row.state in GONE:
            tombstone = None if row.tombstone is None else Envelope.decode(row.tombstone).to_json()
            raise GoneError("the session has been erased", code=row.state, extra={"tombstone": tombstone})
        return row

    def _events(
        self, connection: Connection, organisation: str, rows: Sequence[AnyRow], policy: bytes
    ) -> Mapping[int, tuple[RecordedEvent, ...]]:
        if not rows:
            return {}
        session = rows[0].session
        segment = self._segment(connection, organisation, session)
        if segment is not None:
            return by_batch(read_parquet(segment))
        kinds = policy_of(policy).kinds
        key = self._store.keys.get(content_key(organisation, session))
        return {row.n: within_policy(self._open(row, key), kinds) for row in rows}

    def _open(self, row: AnyRow, key: bytes) -> list[RecordedEvent]:
        if row.body_sealed is None or row.readable is False:
            return []
        try:
            return open_body(wire_of(self._store, row), key)
        except ProtocolError:
            return []

    def _segment(self, connection: Connection, organisation: str, session: str) -> bytes | None:
        """The newest segment's Parquet bytes, if the session is sealed."""
        newest = select(Segment.version, Segment.file_sha256).where(Segment.session == session)
        row = connection.execute(newest.order_by(Segment.version.desc()).limit(1)).one_or_none()
        if row is None:
            return None
        sealed = self._store.segments.read(session, row.version, row.file_sha256)
        key = self._store.keys.get(segment_key(organisation, session, row.version))
        return Sealer(key, organisation=organisation, session=session).unseal(sealed, segment_purpose(row.version))

    async def page(self, organisation: str, session: str, *, after: int, limit: int) -> Page:
        """Events behind ``after``, opened; of a running session those that were received.

        Raises:
            NotFoundError: the organisation has no such session.
            GoneError: it was erased.
        """
        return await asyncio.to_thread(
            self._store.database.read_now, lambda c: self._page(c, organisation, session, after, limit)
        )

    def _page(self, connection: Connection, organisation: str, session: str, after: int, limit: int) -> Page:
        row = self._session(connection, organisation, session)
        segment = self._segment(connection, organisation, session)
        if segment is not None:
            events = [event_of(found) for found in read_parquet(segment, after=after, limit=limit)]
        else:
            policy = self._store.of_session(organisation, session).unseal(row.policy_sealed, "policy")
            events = self._live(connection, organisation, session, policy=policy, after=after, limit=limit)
        blocks = self._missing_blocks(connection, organisation, session, events)
        return Page(state=row.state, events=tuple(event.open(blocks) for event in events))

    def _live(
        self, connection: Connection, organisation: str, session: str, *, policy: bytes, after: int, limit: int
    ) -> list[RecordedEvent]:
        kinds = policy_of(policy).kinds
        key = self._store.keys.get(content_key(organisation, session))
        behind = (Batch.session == session) & (Batch.first + Batch.count > after + 1)
        found: list[RecordedEvent] = []
        rows = connection.execution_options(yield_per=1).execute(select(Batch).where(behind).order_by(Batch.n))
        for row in rows:
            found += [event for event in within_policy(self._open(row, key), kinds) if event.seq > after]
            if len(found) >= limit:
                break
        rows.close()
        return found[:limit]

    def _missing_blocks(
        self, connection: Connection, organisation: str, session: str, events: list[RecordedEvent]
    ) -> dict[bytes, bytes]:
        """Blocks that these events use and that travelled before them."""
        wanted = {block for event in events for block in _referred(event)}
        own = {block.id: block.data for event in events for block in event.blocks}
        if wanted <= own.keys():
            return own
        record = self.load(connection, organisation, session, with_events=True)
        earlier = {block.id: block.data for batch in record.batches for event in batch.events for block in event.blocks}
        return {name: data for name, data in earlier.items() if name in wanted}


def _referred(event: RecordedEvent) -> list[bytes]:
    found = (read_stored(secret.stored).block for secret in event.secrets.values())
    return [block for block in found if block is not None]
