"""The end of retention, by the rule that the policy's text states.

A session is erased when its assessment's days have passed since it ended. An invite that was never redeemed loses its
sealing key when it expires. It is deleted, with a person that nothing else needs, after as many days as a session.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from promptster.protocol.privacy import TombstoneOutcome
from promptster_collector.orgs import persons
from promptster_collector.sessions.states import ENDED
from promptster_collector.settings import DAY_MS
from promptster_collector.store.disk_reserve import WritePriority
from promptster_collector.store.keys.names import person_key, sealing_key
from promptster_collector.store.schema import Assessment, Invite, Session

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from promptster_collector.clock import Clock
    from promptster_collector.privacy.erasure import Erasure
    from promptster_collector.store.store import Store

_GROUP = 100


class RetentionRule:
    """Erases sessions and invites when their retention ends."""

    def __init__(self, store: Store, clock: Clock, erasure: Erasure) -> None:
        self._store = store
        self._clock = clock
        self._erasure = erasure

    async def run(self) -> None:
        """Erase everything that is due."""
        now = self._clock.wall_ms()
        due = Session.state.in_([state.value for state in ENDED]) & (
            Session.closed_ms + Session.retention_days * DAY_MS <= now
        )
        statement = select(Session.organisation, Session.id).where(due).limit(_GROUP)
        for row in await self._store.database.read(lambda connection: connection.execute(statement).all()):
            await self._erasure.erase(row.organisation, row.id, TombstoneOutcome.EXPIRED)
        await self._expire_invites(now)

    async def _expire_invites(self, now: int) -> None:
        expired = select(Invite.organisation, Invite.sealing_key_id).where(
            Invite.used_ms.is_(None), Invite.expires_ms <= now
        )
        rows = await self._store.database.read(lambda connection: connection.execute(expired).all())
        dead = {(row.organisation, row.sealing_key_id) for row in rows}
        living = await asyncio.to_thread(self._store.keys.sealing_key_ids)
        names = [sealing_key(organisation, key_id) for organisation, key_id in living if (organisation, key_id) in dead]
        if names:
            await asyncio.to_thread(self._store.keys.destroy, names)
        async with self._store.person_lock:
            await self._store.database.write(
                lambda connection: self._remove_invites(connection, now), priority=WritePriority.ENDING
            )

    def _remove_invites(self, connection: Connection, now: int) -> None:
        """Rows go before their keys; the keys are destroyed inside the same write."""
        old = (Invite.session.is_(None)) & (Invite.expires_ms + Assessment.retention_days * DAY_MS <= now)
        statement = select(Invite.id, Invite.organisation, Invite.person).join(
            Assessment, Assessment.id == Invite.assessment
        )
        gone: list[tuple[str, str]] = []
        for row in connection.execute(statement.where(old).limit(_GROUP)).all():
            connection.execute(delete(Invite).where(Invite.id == row.id))
            if row.person is not None and not persons.is_needed(connection, row.person):
                persons.remove(connection, row.person)
                gone.append((row.organisation, row.person))
        if gone:
            self._store.keys.destroy([person_key(*owner) for owner in gone])
