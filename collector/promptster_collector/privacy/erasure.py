"""Erasure of a session, in an order that a crash at any point cannot undo.

1. The signed tombstone is recorded on the disk, outside the database and the key store.
2. One transaction in the key store destroys every key of the session, and its person's if nothing else needs it.
3. One write deletes the session's rows; its state and the tombstone stay. Its batches follow, some in each write, so
   that a large session needs no more disk space than a small one. If this is interrupted, the next sweep removes the
   rest, which nobody can decrypt.
4. Segment files are removed and the write-ahead log is truncated.
``reapply_endings`` does 2 to 4 again for every tombstone before a collector listens, so that no restored backup brings
a session back. If the tombstones were restored too, anyone who has a tombstone can submit it, and 1 to 4 are repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update

from promptster.protocol.encoding import b64u_encode
from promptster.protocol.errors import ProtocolError
from promptster.protocol.privacy import Tombstone, TombstoneOutcome, Withdrawal
from promptster.protocol.signing import Envelope, SigningKey, open_envelope
from promptster_collector.audit.service import Action
from promptster_collector.errors import InvalidError, UnknownSessionError
from promptster_collector.orgs import persons
from promptster_collector.sessions.states import GONE, State
from promptster_collector.settings import DAY_MS
from promptster_collector.store.disk_reserve import StorageFullError, WritePriority
from promptster_collector.store.endings import own_tombstone
from promptster_collector.store.schema import Alarm, Batch, Conflict, Invite, Read, Segment, Session
from promptster_collector.store.tombstones import ErasedSession, erased_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from promptster_collector.access.rate_limits import FailureLimits
    from promptster_collector.clock import Clock
    from promptster_collector.store.store import Store

log = logging.getLogger("promptster_collector")

_AT_A_TIME = 1 << 20
"""Bytes of batches that one write removes, rounded up to whole batches."""
_ROWS = 256
"""Batches that one write removes at most."""

_STATES = {
    TombstoneOutcome.WITHDRAWN: State.WITHDRAWN,
    TombstoneOutcome.ERASED: State.ERASED,
    TombstoneOutcome.EXPIRED: State.ERASED,
}

_SHREDDED = {
    "public_key": None,
    "access_sha256": None,
    "certificate_sealed": None,
    "consent_sealed": None,
    "redeem_sealed": None,
    "policy_sealed": None,
    "close_sealed": None,
    "head_sha256": None,
    "person": None,
    "next_n": 0,
    "next_seq": 0,
    "stored_bytes": 0,
    "checked_n": -1,
    "opened_bytes": 0,
    "source_counts": "{}",
}


class Erasure:
    """Erases sessions."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        failures: FailureLimits,
        forget: Iterable[Callable[[str], None]] = (),
        key_backup_days: int | None = None,
    ) -> None:
        """Keep what erasure needs.

        Args:
            store: the collector's data.
            clock: the time.
            failures: counts requests that nobody signed.
            forget: functions that are called with each erased session.
            key_backup_days: days that a key backup can be used, if the operator states them.
        """
        self._key_backup_days = key_backup_days
        self._store = store
        self._failures = failures
        self._nobody = SigningKey.generate(os.urandom).public_key
        """The key to verify with if there is no session, so that this takes as long as if there were one."""
        self._clock = clock
        self._forget = tuple(forget)

    async def withdraw(
        self, session: str, request: Envelope | None, stone: Envelope | None = None, *, sender: str
    ) -> Envelope:
        """Erase a session by the candidate's withdrawal or our own tombstone; repeated, it returns the same one.

        Args:
            session: which one.
            request: the candidate's signed withdrawal.
            stone: a tombstone that we signed: its sender may know more than a restored data folder, so that
                everything is destroyed again.
            sender: the network that it came from.

        Raises:
            NotFoundError: there is no such session, or its key did not sign; the answer is the same.
            BusyError: too many unsigned requests came from the network ``sender``.
            InvalidError: the withdrawal or the tombstone is for another session, or the tombstone is not ours.
        """
        own = None if stone is None else self._own(session, stone, sender)
        columns = select(Session.organisation, Session.public_key, Session.tombstone).where(Session.id == session)
        row = await self._store.database.read(lambda connection: connection.execute(columns).one_or_none())
        if row is not None and row.tombstone is not None:
            return Envelope.decode(row.tombstone)
        if row is None and (known := await self._erase_unknown(session, own, stone)) is not None:
            return known
        if row is not None and own is not None:
            log.warning("a signed tombstone came for a session that exists here: the data folder is from a backup")
            return await self.erase(row.organisation, session, own.outcome, stone=stone)
        named: Withdrawal | None = None
        if request is not None:
            with contextlib.suppress(ProtocolError):
                named = open_envelope(Withdrawal, request, self._nobody if row is None else row.public_key)
        if row is None or named is None:
            refused = UnknownSessionError()
            raise self._failures.unsigned(sender, refused)
        if named.session != session:
            raise InvalidError("the withdrawal is for another session", code="wrong_session")
        return await self.erase(row.organisation, session, TombstoneOutcome.WITHDRAWN)

    def _own(self, session: str, stone: Envelope, sender: str) -> Tombstone:
        own = own_tombstone(stone, self._store.identity)
        if own is None:
            refused = InvalidError("this collector did not sign the tombstone", code="tombstone_unknown")
            raise self._failures.unsigned(sender, refused)
        if own.session != session:
            raise InvalidError("the tombstone is for another session", code="wrong_session")
        return own

    async def _erase_unknown(self, session: str, own: Tombstone | None, stone: Envelope | None) -> Envelope | None:
        """Erase a session that is missing from the database; returns its tombstone if it was erased before."""
        found = self._store.endings.erased_session(session)
        if found is None:
            if own is None or stone is None:
                return None
            found = erased_session(
                organisation=None,
                session=session,
                person=None,
                state=_STATES[own.outcome].value,
                envelope=stone.encode(),
            )
            await asyncio.to_thread(self._store.endings.add_erased, found, at_ms=self._clock.wall_ms())
        await asyncio.to_thread(self._store.keys.destroy_session, found.organisation, session, person=found.person)
        await asyncio.to_thread(self._clear_files, session)
        return Envelope.decode(found.envelope)

    async def erase(
        self, organisation: str, session: str, outcome: TombstoneOutcome, *, stone: Envelope | None = None
    ) -> Envelope:
        """Destroy a session's keys and delete its rows; returns the signed tombstone, ``stone`` if it is given.

        Raises:
            NotFoundError: the organisation has no such session.
        """
        async with self._store.person_lock:
            found = await self._store.database.read(
                lambda connection: self.to_be_erased(connection, organisation, session, outcome)
            )
            if stone is not None:
                found = replace(found, tombstone=b64u_encode(stone.encode()))
            if (written := self._store.endings.erased_session(session)) is not None:
                # An earlier erasure was interrupted after its first step: its tombstone is the valid one.
                found = replace(found, tombstone=written.tombstone, state=written.state)
            await asyncio.to_thread(self._store.endings.add_erased, found, at_ms=self._clock.wall_ms())
            await asyncio.to_thread(self._store.keys.destroy_session, organisation, session, person=found.person)
            await self._store.database.write(lambda connection: shred(connection, found), priority=WritePriority.ENDING)
        for forget in self._forget:
            forget(session)
        try:
            await self._remove_batches(session)
        except StorageFullError:
            log.warning("the disk is full: batches of a deleted session, which nobody can open, are removed later")
        await asyncio.to_thread(self._clear_files, session)
        return Envelope.decode(found.envelope)

    async def _remove_batches(self, session: str) -> None:
        job = partial(remove_some_batches, session=session)
        while await self._store.database.write(job, priority=WritePriority.ENDING):
            pass

    async def finish(self) -> None:
        """Remove batches that are left of erased sessions; a sweep."""
        for session in await self._store.database.read(with_batches_left):
            await self._remove_batches(session)
            await self._store.database.checkpoint_wal()

    def to_be_erased(
        self, connection: Connection, organisation: str, session: str, outcome: TombstoneOutcome
    ) -> ErasedSession:
        """What erasing a session destroys; nothing is changed yet."""
        mine = (Session.id == session) & (Session.organisation == organisation)
        row = connection.execute(select(Session).where(mine)).one_or_none()
        if row is None:
            raise UnknownSessionError
        person = row.person
        if person is not None and persons.is_needed(connection, person, besides_session=session):
            person = None
        if row.tombstone is not None:
            envelope, state = row.tombstone, row.state
        else:
            envelope, state = self._sign(connection, row.id, row.next_n, outcome).encode(), _STATES[outcome].value
        return erased_session(organisation=organisation, session=session, person=person, state=state, envelope=envelope)

    def _sign(self, connection: Connection, session: str, batches: int, outcome: TombstoneOutcome) -> Envelope:
        # Bundles count too: whoever received one may have kept it.
        handed_out = (Read.session == session) & Read.action.in_([Action.BUNDLE.value, Action.EXPORT.value])
        exports = connection.execute(select(func.count()).where(handed_out)).scalar_one()
        now = self._clock.wall_ms()
        signer = self._store.identity.signer
        return signer.sign(
            Tombstone(
                kid=signer.kid,
                session=session,
                outcome=outcome,
                at_ms=now,
                backups_until_ms=0 if self._key_backup_days is None else now + self._key_backup_days * DAY_MS,
                batches=batches,
                exports=exports,
            )
        )

    def _clear_files(self, session: str) -> None:
        self._store.segments.remove_all(session)
        self._store.database.truncate_wal()


def remove_some_batches(connection: Connection, session: str) -> bool:
    """Remove some of a session's batches inside an open write transaction; returns whether there may be more."""
    size = func.coalesce(func.length(Batch.body_sealed), 0)
    rows = select(Batch.arrival, size).where(Batch.session == session).order_by(Batch.n).limit(_ROWS)
    chosen: list[int] = []
    taken = 0
    for arrival, of_body in connection.execute(rows):
        chosen.append(arrival)
        taken += of_body
        if taken >= _AT_A_TIME:
            break
    if chosen:
        connection.execute(delete(Batch).where(Batch.arrival.in_(chosen)))
    return bool(chosen)


def with_batches_left(connection: Connection) -> list[str]:
    """Erased sessions that still have batches."""
    gone = Session.state.in_([state.value for state in GONE])
    left = select(Batch.arrival).where(Batch.session == Session.id).exists()
    return list(connection.execute(select(Session.id).where(gone, left)).scalars())


def shred(connection: Connection, found: ErasedSession) -> None:
    """Delete a session's rows inside an open write transaction, except its batches (``remove_some_batches``)."""
    session = found.session
    locked = select(Session.id).where(Session.id == session).with_for_update()
    if connection.execute(locked).one_or_none() is None:
        return
    for table in (Conflict, Segment, Read):
        connection.execute(delete(table).where(table.session == session))
    connection.execute(delete(Alarm).where(Alarm.session == session))
    values = _SHREDDED | {"state": found.state, "tombstone": found.envelope}
    connection.execute(update(Session).where(Session.id == session).values(values))
    cleared = {"person": None, "request_sha256": None, "box_sha256": None}
    never_opened = {"opened_ms": None, "reopened": 0, "reopened_ms": "[]"}
    connection.execute(update(Invite).where(Invite.session == session).values(cleared | never_opened))
    if found.person is not None:
        persons.remove(connection, found.person)
