"""Sealing: an ended session becomes one encrypted Parquet segment, and its batches leave the inbox.

1. All batches are checked and logged, and the session is closing.
2. A helper process makes Parquet of its events, piece by piece in memory; each piece is encrypted under a new key, and
   the file of them is stored durably.
3. The file is read back, and the helper compares each piece with what it made.
4. One write lists the segment: from then on the session is read from it.
5. The batches in the inbox are emptied, some in each write so that others need not wait, and the state becomes sealed.

At most a few pieces are in memory, however large the session is. An interrupted sealing is continued or repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from promptster_collector.errors import Refusal
from promptster_collector.review.helper_process import HelperProcess
from promptster_collector.sessions.states import GONE, State
from promptster_collector.store.alarms import AlarmKind, raise_alarm
from promptster_collector.store.at_rest import Sealer
from promptster_collector.store.database import StorageUnavailableError
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.keys.names import segment_key
from promptster_collector.store.schema import Alarm, Batch, Segment, Session

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy import Connection

    from promptster_collector.clock import Clock
    from promptster_collector.review.helper_messages import Piece
    from promptster_collector.review.session_reader import SessionReader
    from promptster_collector.settings import Limits, Timing
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.segment_file import PieceReader
    from promptster_collector.store.segments import SegmentDraft
    from promptster_collector.store.store import Store

log = logging.getLogger("promptster_collector")


class SealingFailedError(Refusal):
    """A segment does not read back as it was written; the inbox is unchanged."""

    default_code = "sealing_failed"
    default_status = 503


@dataclass(frozen=True, kw_only=True)
class _Retry:
    """When a session that could not be sealed is tried again."""

    pause: float
    until: float

    @classmethod
    def after(cls, earlier: _Retry | None, now: float, timing: Timing) -> _Retry:
        pause = timing.first_seal_retry if earlier is None else min(2 * earlier.pause, timing.last_seal_retry)
        return cls(pause=pause, until=now + pause)


@dataclass(frozen=True, kw_only=True)
class WrittenSegment:
    """A segment that is written and not listed yet."""

    version: int
    sha256: bytes
    size: int
    events: int


class SegmentSealer:
    """Seals ended sessions."""

    def __init__(self, store: Store, clock: Clock, reading: SessionReader, limits: Limits, timing: Timing) -> None:
        self._store = store
        self._clock = clock
        self._reading = reading
        self._limits = limits
        self._timing = timing
        self._retries: dict[str, _Retry] = {}
        """Sessions that could not be sealed."""

    async def run(self) -> bool:
        """Seal some sessions that are ready; returns whether there were any."""
        now = self._clock.monotonic()
        self._retries = {
            session: retry
            for session, retry in self._retries.items()
            if retry.until + self._timing.last_seal_retry > now
        }
        waiting = (Batch.session == Session.id) & (Batch.checked_ms.is_(None) | Batch.leaf_index.is_(None))
        ready = (Session.state == State.CLOSING.value) & ~select(Batch.n).where(waiting).exists()
        ready &= Session.id.not_in([session for session, retry in self._retries.items() if retry.until > now])
        statement = (
            select(Session.organisation, Session.id)
            .where(ready)
            .order_by(Session.closed_ms)
            .limit(self._limits.seal_sessions)
        )
        rows = await self._store.database.read(lambda connection: connection.execute(statement).all())
        process = HelperProcess()
        try:
            sealed = [await self._seal(row.organisation, row.id, process) for row in rows]
        finally:
            await asyncio.to_thread(process.close)
        if any(sealed):
            await asyncio.to_thread(self._store.database.truncate_wal)
        return any(sealed)

    async def _seal(self, organisation: str, session: str, process: HelperProcess) -> bool:
        """Seal one session; if that fails, it keeps its batches and is tried again later."""
        try:
            if await self._store.database.read(partial(self._is_listed, session=session)):
                await self._empty(session)
            else:
                written = await asyncio.to_thread(self.write, organisation, session, process)
                await self.enlist(organisation, session, written)
        except KeyDestroyedError:  # erased a moment ago, or its keys are lost
            self._retry_later(session)
            return False
        except Exception as error:  # noqa: BLE001 - the inbox still has everything
            self._retry_later(session)
            log.error("a session cannot be sealed: %s", type(error).__name__)  # noqa: TRY400 - a traceback may show content
            with contextlib.suppress(StorageUnavailableError):
                await self._store.database.write(lambda connection: self._tell(connection, organisation, session))
            return False
        self._retries.pop(session, None)
        return True

    def _retry_later(self, session: str) -> None:
        self._retries[session] = _Retry.after(self._retries.get(session), self._clock.monotonic(), self._timing)

    def _tell(self, connection: Connection, organisation: str, session: str) -> None:
        """Raise the alarm once for each session, and not for one that was erased meanwhile."""
        told = select(Alarm.id).where(Alarm.kind == AlarmKind.SEALING_FAILED.value, Alarm.session == session)
        state = connection.execute(select(Session.state).where(Session.id == session)).scalar_one_or_none()
        if state == State.CLOSING.value and connection.execute(told).first() is None:
            at_ms = self._clock.wall_ms()
            raise_alarm(connection, organisation, AlarmKind.SEALING_FAILED, at_ms=at_ms, session=session)

    async def enlist(self, organisation: str, session: str, written: WrittenSegment) -> None:
        """List a written segment and empty the inbox; if the session was erased meanwhile, undo the segment."""
        listed = await self._store.database.write(
            lambda connection: self._list(connection, organisation, session, written)
        )
        if listed:
            await self._empty(session)
        else:
            await asyncio.to_thread(self._undo, organisation, session, written.version)

    async def _empty(self, session: str) -> None:
        """Empty the batches of a session whose segment is listed, and set its state to sealed."""
        while await self._store.database.write(partial(self._empty_some, session=session)):
            pass

    def write(self, organisation: str, session: str, process: HelperProcess) -> WrittenSegment:
        """Write a session's segment and read it back; blocks.

        Raises:
            SealingFailedError: it does not read back.
            HelperProcessError: the helper process has ended.
            KeyDestroyedError: the session was erased.
        """
        stored = self._reading.stored(organisation, session)
        process.begin(stored.content_key, stored.kinds, piece_bytes=self._limits.piece_bytes)
        version = self._store.database.read_now(partial(self._next_version, session=session))
        key = os.urandom(32)
        sealer = Sealer(key, organisation=organisation, session=session)
        with self._store.segments.draft(session, version, sealer) as draft:
            for wire in stored.wires:
                _add(draft, process.add(wire))
            _add(draft, process.finish())
            self._store.keys.put({segment_key(organisation, session, version): key}, created_ms=self._clock.wall_ms())
            digest, size = draft.store()
        try:
            with self._store.segments.open(session, version, digest, sealer) as pieces:
                events = _compare(pieces, process)
        except BaseException:
            self._undo(organisation, session, version)
            raise
        return WrittenSegment(version=version, sha256=digest, size=size, events=events)

    @staticmethod
    def _is_listed(connection: Connection, session: str) -> bool:
        """Whether the segment is listed, so that only the batches are left to empty."""
        return connection.execute(select(Segment.id).where(Segment.session == session).limit(1)).first() is not None

    @staticmethod
    def _next_version(connection: Connection, session: str) -> int:
        newest = select(func.max(Segment.version)).where(Segment.session == session)
        return (connection.execute(newest).scalar_one() or 0) + 1

    def _undo(self, organisation: str, session: str, version: int) -> None:
        """Destroy key and file of a segment that is unusable or whose session was erased meanwhile."""
        self._store.keys.destroy([segment_key(organisation, session, version)])
        self._store.segments.remove(session, version)

    def _list(self, connection: Connection, organisation: str, session: str, sealed: WrittenSegment) -> bool:
        """List the segment; returns whether it may stay."""
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
        return True

    def _empty_some(self, connection: Connection, session: str) -> bool:
        """Empty some batches; returns whether there may be more."""
        state = select(Session.state).where(Session.id == session).with_for_update()
        if connection.execute(state).scalar_one() != State.CLOSING.value:
            return False
        mine = (Batch.session == session) & Batch.body_sealed.is_not(None)
        sizes = select(Batch.n, func.length(Batch.body_sealed).label("size")).where(mine).order_by(Batch.n)
        numbers = [
            row.n
            for row in _within(
                self._limits.empty_bytes, connection.execute(sizes.limit(self._limits.empty_bodies)).all()
            )
        ]
        if numbers:
            chosen = (Batch.session == session) & Batch.n.in_(numbers)
            connection.execute(update(Batch).where(chosen).values(body_sealed=None))
        else:
            sealed = {"state": State.SEALED.value, "sealed_ms": self._clock.wall_ms()}
            connection.execute(update(Session).where(Session.id == session).values(sealed))
        return bool(numbers)


def _within(room: int, rows: Sequence[AnyRow]) -> Generator[AnyRow]:
    """The first bodies that one write may empty, at least one."""
    for place, row in enumerate(rows):
        room -= row.size
        if place and room < 0:
            return
        yield row


def _add(draft: SegmentDraft, made: Sequence[Piece]) -> None:
    for piece in made:
        draft.pieces.add(piece.data, piece.span)


def _compare(pieces: PieceReader, process: HelperProcess) -> int:
    """The number of events in the pieces, which must be as they were made.

    Raises:
        SealingFailedError: a piece does not read back.
    """
    for number in range(len(pieces)):
        if not process.holds(number, pieces.read(number)):
            raise SealingFailedError("a sealed session does not read back")
    return pieces.events
