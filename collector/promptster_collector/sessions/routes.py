"""Routes of sessions."""

from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from promptster.times import utc
from promptster_collector.access.guard import ACCESS, principal_of
from promptster_collector.access.principal import READERS, TEAM
from promptster_collector.sessions.schemas import HeadAnswer, SessionEntry, SessionList
from promptster_collector.sessions.service import ListedSession, Sessions


@get("/v1/sessions/{session:str}/head", opt={ACCESS: READERS})
async def session_head(
    request: Request[Any, Any, Any], sessions: NamedDependency[Sessions], session: FromPath[str]
) -> HeadAnswer:
    """How far a session has come."""
    head = await sessions.head(principal_of(request), session)
    return HeadAnswer(
        state=head.state, next=head.next_n, events=head.events, checked=head.checked_n, closed=head.closed
    )


def _entry(session: ListedSession) -> SessionEntry:
    return SessionEntry(
        session=session.session,
        assessment=session.assessment,
        title=session.title,
        name=session.name,
        email=session.email,
        state=session.state,
        started_at=utc(session.started_ms),
        events=session.events,
        checked=session.checked_n,
        closed_at=None if session.closed_ms is None else utc(session.closed_ms),
        outcome=session.outcome,
        last_received_at=None if session.received_ms is None else utc(session.received_ms),
        record_until=utc(session.record_until_ms),
        upload_until=utc(session.upload_until_ms),
        activity=None if session.activity is None else session.activity.value,
        confirmation_code=session.confirmation_code,
        opened_at=None if session.opened_ms is None else utc(session.opened_ms),
        opened_again_at=[utc(at_ms) for at_ms in session.opened_again_ms],
        openings=session.openings,
    )


@get("/v1/sessions", opt={ACCESS: TEAM})
async def list_sessions(request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]) -> SessionList:
    """The organisation's sessions."""
    return SessionList(sessions=[_entry(session) for session in await sessions.list(principal_of(request))])


ROUTES = [session_head, list_sessions]
