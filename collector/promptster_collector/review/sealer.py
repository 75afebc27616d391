"""Sealing: an ended session becomes one encrypted Parquet segment, and its bodies leave the inbox.

1. All batches are checked and logged, and the session is closing.
2. A process of its own writes its events as Parquet in memory; that is sealed under a new key, and stored durably.
3. The file is read back, opened, and compared there with what the inbox holds.
4. One write lists the segment, empties the inbox's bodies and sets the state to sealed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from promptster_collector.errors import Refusal
from promptster_collector.review.reading import segment_purpose
from promptster_collector.review.segment_process import SegmentProcess
from promptster_collector.sessions.states import GONE, State
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.keys.names import segment_key
from promptster_collector.store.schema import Batch, Segment, Session
from promptster_collector.store.sealing import Sealer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from promptster_collector.clock import Clock
    from promptster_collector.review.reading import Reading
    from promptster_collector.store.store import Store

log = logging.getLogger("promptster_collector")

_GROUP = 20
"""Sessions that one round seals."""
_LATER = 900.0
"""Seconds after which a session that could not be sealed is tried again."""


class SealingFailedError(Refusal):
    """A segment does not give back what was put into it; the inbox stays as it is."""

    default_code = "sealing_failed"
    default_status = 503


@dataclass(frozen=True, kw_only=True)
class WrittenSegment:
    """A segment that is on the disk and not listed yet."""

    version: int
    sha256: bytes
    size: int
    events: int


class SegmentSealer:
    """Seals ended sessions."""

    def __init__(self, store: Store, clock: Clock, reading: Reading) -> None:
        """Keep where sessions and segments are."""
        self._store = store
        self._clock = clock
        self._reading = reading
        self._failed: dict[str, float] = {}
        """Sessions that could not be sealed, and until when they stand aside for others."""

    async def run(self) -> bool:
        """Seal some sessions that are ready; whether there were any."""
        waiting = (Batch.session == Session.id) & (Batch.checked_ms.is_(None) | Batch.leaf_index.is_(None))
        ready = (Session.state == State.CLOSING.value) & ~select(Batch.n).where(waiting).exists()
        ready &= Session.id.not_in(
            [session for session, until in self._failed.items() if until > self._clock.monotonic()]
        )
        statement = select(Session.organisation, Session.id).where(ready).order_by(Session.closed_ms).limit(_GROUP)
        rows = await self._store.database.read(lambda connection: connection.execute(statement).all())
        process = SegmentProcess()
        try:
            sealed = [await self._seal(row.organisation, row.id, process) for row in rows]
        finally:
            await asyncio.to_thread(process.close)
        if any(sealed):
            await asyncio.to_thread(self._store.database.truncate_wal)
        return any(sealed)

    async def _seal(self, organisation: str, session: str, process: SegmentProcess) -> bool:
        """Seal one session; one that cannot be sealed keeps its bodies, and stands in nobody's way."""
        try:
            written = await asyncio.to_thread(self.write, organisation, session, process)
        except KeyDestroyedError:  # erased a moment ago, or its keys are lost
            self._failed[session] = self._clock.monotonic() + _LATER
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, the inbox still has everything
            self._failed[session] = self._clock.monotonic() + _LATER
            log.error("a session cannot be sealed: %s", type(error).__name__)  # noqa: TRY400 - a traceback may show content
            return False
        self._failed.pop(session, None)
        await self.enlist(organisation, session, written)
        return True

    async def enlist(self, organisation: str, session: str, written: WrittenSegment) -> None:
        """List a written segment and empty the inbox; of a session that was erased meanwhile, take it back."""
        listed = await self._store.database.write(
            lambda connection: self._list(connection, organisation, session, written)
        )
        if not listed:
            await asyncio.to_thread(self._undo, organisation, session, written.version)

    def write(self, organisation: str, session: str, process: SegmentProcess) -> WrittenSegment:
        """Write a session's segment and read it back; blocks.

        Raises:
            SealingFailedError: it does not read back.
            SegmentProcessError: the process that helps has ended.
            KeyDestroyedError: the session was erased.
        """
        stored = self._reading.stored(organisation, session)
        process.begin(stored.content_key, stored.kinds)
        for wire in stored.wires:
            process.add(wire)
        version = self._store.database.read_now(partial(self._next_version, session=session))
        key, name = os.urandom(32), segment_key(organisation, session, version)
        sealer = Sealer(key, organisation=organisation, session=session)
        sealed = sealer.seal(process.write(), segment_purpose(version))
        self._store.keys.put({name: key}, created_ms=self._clock.wall_ms())
        digest = self._store.segments.write(session, version, sealed)
        file = self._store.segments.read(session, version, digest)
        events = process.compare(sealer.unseal(file, segment_purpose(version)))
        if events is None:
            raise SealingFailedError("a sealed session does not read back")
        return WrittenSegment(version=version, sha256=digest, size=len(sealed), events=events)

    @staticmethod
    def _next_version(connection: Connection, session: str) -> int:
        newest = select(func.max(Segment.version)).where(Segment.session == session)
        return (connection.execute(newest).scalar_one() or 0) + 1

    def _undo(self, organisation: str, session: str, version: int) -> None:
        """The session was erased meanwhile: its new segment goes too."""
        self._store.keys.destroy([segment_key(organisation, session, version)])
        self._store.segments.remove(session, version)

    def _list(self, connection: Connection, organisation: str, session: str, sealed: WrittenSegment) -> bool:
        """Whether the segment may stay."""
        now = self._clock.wall_ms()
        state = select(Session.state).where(Session.id == session).with_for_update()
        found = connection.execute(state).scalar_one()
        if found != State.CLOSING.value:
            return found not in GONE
        connection.execute(
            insert(Segment),
            {
                "organisation": organisation,
                "session": session,
                "version": sealed.version,
                "file_sha256": sealed.sha256,
                "size": sealed.size,
                "events": sealed.events,
                "created_ms": now,
            },
        )
        connection.execute(update(Batch).where(Batch.session == session).values(body_sealed=None))
        connection.execute(update(Session).where(Session.id == session).values(state=State.SEALED.value, sealed_ms=now))
        return True
