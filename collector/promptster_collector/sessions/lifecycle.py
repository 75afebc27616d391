"""How a session ends: by its closing event, or because its time ran out. Erasure is in ``privacy``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from promptster.protocol.receipt import Close, CloseOutcome
from promptster_collector.sessions.states import State
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.schema import Batch, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from promptster.protocol.signing import Envelope
    from promptster_collector.clock import Clock
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store


class Lifecycle:
    """Moves sessions from open to closing, under the row lock that ingest takes."""

    def __init__(self, store: Store, clock: Clock, *, on_closed: Callable[[], None]) -> None:
        """Call ``on_closed`` after a session has ended."""
        self._store = store
        self._clock = clock
        self._on_closed = on_closed

    def close(self, connection: Connection, session: str, outcome: CloseOutcome) -> bytes | None:
        """Sign the end of an open session inside an open write transaction; returns the encrypted close, new or old.

        A session does not lapse while one of its batches is unchecked, because that may be the one that closes it:
        ``None`` is returned then, and also for a session whose key was lost, which ends without a signed close.
        """
        columns = (
            Session.organisation,
            Session.state,
            Session.next_n,
            Session.next_seq,
            Session.head_sha256,
            Session.close_sealed,
        )
        row = connection.execute(select(*columns).where(Session.id == session).with_for_update()).one_or_none()
        if row is None or row.state != State.OPEN.value or row.head_sha256 is None:
            return None if row is None else row.close_sealed
        now = self._clock.wall_ms()
        sealed: bytes | None = None
        with contextlib.suppress(KeyDestroyedError):
            sealer = self._store.of_session(row.organisation, session)
            if outcome is CloseOutcome.LAPSED and _waits_for_check(connection, session):
                return None
            sealed = sealer.seal(self._sign(row, session, outcome, now).encode(), "close")
        values = {"state": State.CLOSING.value, "close_sealed": sealed, "closed_ms": now}
        connection.execute(update(Session).where(Session.id == session).values(values))
        return sealed

    def _sign(self, row: AnyRow, session: str, outcome: CloseOutcome, now_ms: int) -> Envelope:
        signer = self._store.identity.signer
        return signer.sign(
            Close(
                kid=signer.kid,
                session=session,
                outcome=outcome,
                n=row.next_n,
                events=row.next_seq,
                head=row.head_sha256,
                at_ms=now_ms,
            )
        )

    async def lapse(self, session: str) -> bytes | None:
        """End a session whose upload time is over; returns the encrypted close, or ``None`` while it has to wait."""
        sealed = await self._store.database.write(
            lambda connection: self.close(connection, session, CloseOutcome.LAPSED)
        )
        self._on_closed()
        return sealed

    async def lapse_overdue(self) -> None:
        """End every open session whose upload time is over."""
        overdue = (Session.state == State.OPEN.value) & (Session.upload_until_ms < self._clock.wall_ms())
        statement = select(Session.id).where(overdue).limit(100)
        for session in await self._store.database.read(
            lambda connection: connection.execute(statement).scalars().all()
        ):
            await self.lapse(session)


def _waits_for_check(connection: Connection, session: str) -> bool:
    waiting = select(Batch.n).where(Batch.session == session, Batch.checked_ms.is_(None))
    return connection.execute(waiting.limit(1)).first() is not None
