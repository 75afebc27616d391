"""Records every read before anything of a session is sent; if the row cannot be written, nothing is sent."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from promptster_collector.errors import UnknownSessionError
from promptster_collector.store.disk_reserve import WritePriority
from promptster_collector.store.schema import Read, Session

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from promptster_collector.access.principal import Principal
    from promptster_collector.clock import Clock
    from promptster_collector.store.store import Store


class Action(StrEnum):
    """What was sent."""

    EVENTS = "events"
    EVIDENCE = "evidence"
    BUNDLE = "bundle"
    EXPORT = "export"


class Audit:
    """The read audit."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def record(self, principal: Principal, session: str, action: Action) -> None:
        """Record one read.

        Raises:
            NotFoundError: the caller's organisation has no such session.
        """
        mine = (Session.id == session) & (Session.organisation == principal.organisation)
        values = {
            "organisation": principal.organisation,
            "session": session,
            "reader": principal.reader,
            "token": principal.token,
            "action": action.value,
            "at_ms": self._clock.wall_ms(),
        }

        def job(connection: Connection) -> None:
            if connection.execute(select(Session.id).where(mine)).one_or_none() is None:
                raise UnknownSessionError
            connection.execute(insert(Read), values)

        await self._store.database.write(job, priority=WritePriority.READING)
