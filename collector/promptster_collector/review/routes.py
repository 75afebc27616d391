"""Routes that read a session; each records the read first."""

from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events import OpenedEvent
from promptster.replay.errors import ExportError
from promptster.replay.exporters import find
from promptster_collector.access.guard import ACCESS, principal_of
from promptster_collector.access.principal import READERS
from promptster_collector.audit.service import Action, Audit
from promptster_collector.errors import InvalidError
from promptster_collector.review.bundles import Bundles, Export
from promptster_collector.review.event_pages import EventPages
from promptster_collector.review.schemas import EventEntry, EventPage, EvidenceAnswer

_BUNDLE_TYPE = "application/vnd.promptster.bundle"
_MAX_PAGE = 5000


@get("/v1/sessions/{session:str}/evidence", opt={ACCESS: READERS})
async def session_evidence(
    request: Request[Any, Any, Any],
    bundles: NamedDependency[Bundles],
    audit: NamedDependency[Audit],
    session: FromPath[str],
) -> EvidenceAnswer:
    """Receipts, checks, close and log proofs of a session."""
    principal = principal_of(request)
    await audit.record(principal, session, Action.EVIDENCE)
    return EvidenceAnswer(**await bundles.evidence(principal.organisation, session))


@get("/v1/sessions/{session:str}/bundle", opt={ACCESS: READERS}, media_type=_BUNDLE_TYPE)
async def session_bundle(
    request: Request[Any, Any, Any],
    bundles: NamedDependency[Bundles],
    audit: NamedDependency[Audit],
    session: FromPath[str],
) -> Stream:
    """The session's signed bundle."""
    principal = principal_of(request)
    await audit.record(principal, session, Action.BUNDLE)
    return _file(await bundles.bundle(principal.organisation, session))


@get("/v1/sessions/{session:str}/export", opt={ACCESS: READERS})
async def session_export(
    request: Request[Any, Any, Any],
    bundles: NamedDependency[Bundles],
    audit: NamedDependency[Audit],
    session: FromPath[str],
    format: FromQuery[str] = "bundle",  # noqa: A002 - the query parameter's name
) -> Stream:
    """The session in one of the export formats."""
    principal = principal_of(request)
    try:
        exporter = find(format)
    except ExportError as error:
        raise InvalidError(error.message, code=error.code, hint=error.hint) from error
    await audit.record(principal, session, Action.EXPORT)
    return _file(await bundles.export(principal.organisation, session, exporter))


def _file(export: Export) -> Stream:
    headers = {"content-disposition": f'attachment; filename="session{export.suffix}"'}
    return Stream(export.chunks, media_type=export.media_type.partition(";")[0], headers=headers)


@get("/v1/sessions/{session:str}/events", opt={ACCESS: READERS})
async def session_events(
    request: Request[Any, Any, Any],
    *,
    pages: NamedDependency[EventPages],
    audit: NamedDependency[Audit],
    session: FromPath[str],
    after: FromQuery[int] = -1,
    limit: FromQuery[int] = 500,
) -> EventPage:
    """Events after ``after``, even while the session is running."""
    if not 1 <= limit <= _MAX_PAGE or not -1 <= after < 1 << 53:
        raise InvalidError(f"a page can have 1 to {_MAX_PAGE} events", code="page")
    principal = principal_of(request)
    await audit.record(principal, session, Action.EVENTS)
    page = await pages.page(principal.organisation, session, after=after, limit=limit)
    last = page.events[-1].seq if page.events else after
    return EventPage(state=page.state, events=[_entry(event) for event in page.events], next=last)


def _entry(event: OpenedEvent) -> EventEntry:
    fields = {name: b64u_encode(value) if isinstance(value, bytes) else value for name, value in event.fields.items()}
    return EventEntry(
        seq=event.seq,
        src=event.src.value,
        src_seq=event.src_seq,
        kind=event.kind,
        ms=event.ms,
        mono_ms=event.mono_ms,
        lane=event.lane,
        refs=list(event.refs),
        fields=fields,
        withheld=sorted(event.withheld),
        cut={name: [length, digest] for name, (length, digest) in event.cut.items()},
    )


ROUTES = [session_evidence, session_bundle, session_export, session_events]
