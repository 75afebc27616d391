"""The list of sessions for the hiring team, and the head of a session for the candidate's client."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from promptster.protocol.confirmation import confirmation_code
from promptster.protocol.receipt import Close
from promptster.protocol.signing import Envelope
from promptster_collector.access.principal import INVITERS
from promptster_collector.errors import UnknownSessionError
from promptster_collector.invites.openings import later_openings
from promptster_collector.sessions.states import GONE, Activity, State, activity
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.schema import Batch, Invite, Session

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from promptster_collector.access.principal import Principal
    from promptster_collector.assessments.service import Assessments
    from promptster_collector.clock import Clock
    from promptster_collector.orgs.persons import Persons
    from promptster_collector.store.database import AnyRow
    from promptster_collector.store.store import Store


@dataclass(frozen=True, kw_only=True)
class SessionHead:
    """How far a session has come."""

    state: str
    next_n: int
    events: int
    checked_n: int
    closed: bool


@dataclass(frozen=True, kw_only=True)
class ListedSession:
    """One session in the hiring team's list."""

    session: str
    assessment: str
    title: str
    name: str | None
    email: str | None
    state: str
    started_ms: int
    events: int
    checked_n: int
    closed_ms: int | None
    outcome: str | None
    """``submitted`` or ``lapsed``, as signed; ``None`` if there is no readable close."""
    received_ms: int | None
    """When the last batch arrived; ``None`` before the first and after erasure."""
    record_until_ms: int
    upload_until_ms: int
    activity: Activity | None
    """What an open session is doing."""
    confirmation_code: str | None
    """The code that the candidate saw after the start; ``None`` after its keys are destroyed."""
    opened_ms: int | None
    """When the invite was first opened with its secret; ``None`` if that is no longer known."""
    opened_again_ms: list[int]
    """Later openings: the first few and the last."""
    openings: int
    """The number of all openings."""


class Sessions:
    """The sessions of all organisations."""

    def __init__(self, store: Store, clock: Clock, assessments: Assessments, persons: Persons) -> None:
        self._store = store
        self._clock = clock
        self._assessments = assessments
        self._persons = persons

    async def head(self, principal: Principal, session: str) -> SessionHead:
        """How far a session has come.

        Raises:
            NotFoundError: the caller's organisation has no such session.
        """
        columns = (Session.state, Session.next_n, Session.next_seq, Session.checked_n)
        mine = (Session.id == session) & (Session.organisation == principal.organisation)
        statement = select(*columns).where(mine)
        row = await self._store.database.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None:
            raise UnknownSessionError
        return SessionHead(
            state=row.state,
            next_n=row.next_n,
            events=row.next_seq,
            checked_n=row.checked_n,
            closed=row.state != State.OPEN.value,
        )

    async def list(self, principal: Principal) -> list[ListedSession]:
        """Every session of the organisation, newest first; e-mail addresses only for roles that can invite."""
        organisation = principal.organisation
        titles = {facts.id: facts.title for facts in await self._assessments.list(organisation)}
        show_email = principal.role in INVITERS.roles
        now_ms = self._clock.wall_ms()
        is_last = (Batch.session == Session.id) & (Batch.n == Session.next_n - 1)

        def job(connection: Connection) -> list[ListedSession]:
            statement = (
                select(
                    Session.id,
                    Session.assessment,
                    Session.person,
                    Session.state,
                    Session.started_ms,
                    Session.next_seq,
                    Session.checked_n,
                    Session.closed_ms,
                    Session.close_sealed,
                    Session.record_until_ms,
                    Session.upload_until_ms,
                    Session.public_key,
                    Batch.received_ms,
                    Invite.opened_ms,
                    Invite.reopened,
                    Invite.reopened_ms,
                )
                .outerjoin(Batch, is_last)
                .outerjoin(Invite, Invite.id == Session.invite)
                .where(Session.organisation == organisation)
                .order_by(Session.started_ms.desc(), Session.id)
            )
            rows = connection.execute(statement).all()
            persons = [row.person for row in rows if row.person is not None and row.state not in GONE]
            known = self._persons.identities(connection, organisation, persons)
            return [
                ListedSession(
                    session=row.id,
                    assessment=row.assessment,
                    title=titles.get(row.assessment, ""),
                    name=None if who is None else who.name,
                    email=who.email if who is not None and show_email else None,
                    state=row.state,
                    started_ms=row.started_ms,
                    events=row.next_seq,
                    checked_n=row.checked_n,
                    closed_ms=row.closed_ms,
                    outcome=self._outcome(organisation, row),
                    received_ms=row.received_ms,
                    record_until_ms=row.record_until_ms,
                    upload_until_ms=row.upload_until_ms,
                    activity=activity(
                        row.state,
                        heard_ms=row.started_ms if row.received_ms is None else row.received_ms,
                        record_until_ms=row.record_until_ms,
                        now_ms=now_ms,
                    ),
                    confirmation_code=None if row.public_key is None else confirmation_code(row.public_key),
                    opened_ms=row.opened_ms,
                    opened_again_ms=later_openings(row.reopened_ms or "[]"),
                    openings=0 if row.opened_ms is None else row.reopened + 1,
                )
                for row in rows
                for who in (known.get(row.person),)
            ]

        return await self._store.database.read(job)

    def _outcome(self, organisation: str, row: AnyRow) -> str | None:
        """How a session ended, from its signed close."""
        if row.close_sealed is None or row.state in GONE:
            return None
        with contextlib.suppress(KeyDestroyedError):
            sealed = self._store.of_session(organisation, row.id).unseal(row.close_sealed, "close")
            return Close.parse(Envelope.decode(sealed).payload).outcome
        return None
