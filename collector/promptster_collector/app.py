"""Assembles the application: services, routes, one guard, one table of problems."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Router
from litestar.datastructures import State as AppState
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig

from promptster_collector.access.guard import ACCESS, Guard
from promptster_collector.access.principal import ANYONE, Access
from promptster_collector.access.rate_limits import FailureLimits
from promptster_collector.access.tokens import Tokens
from promptster_collector.assessments import routes as assessment_routes
from promptster_collector.assessments.service import Assessments
from promptster_collector.audit.service import Audit
from promptster_collector.clock import SystemClock
from promptster_collector.ingest import log_routes
from promptster_collector.ingest import routes as ingest_routes
from promptster_collector.ingest.checks import Checks
from promptster_collector.ingest.receipt_log import TransparencyLog
from promptster_collector.ingest.service import Ingest
from promptster_collector.invites import routes as invite_routes
from promptster_collector.invites.redemption import Redemption, finish_interrupted
from promptster_collector.invites.service import Invites
from promptster_collector.orgs import routes as org_routes
from promptster_collector.orgs.persons import Persons
from promptster_collector.orgs.service import Organisations
from promptster_collector.privacy import routes as privacy_routes
from promptster_collector.privacy.erasure import Erasure
from promptster_collector.privacy.reapply import reapply_endings
from promptster_collector.privacy.retention import RetentionRule
from promptster_collector.problems import HANDLERS, problem_for_missing
from promptster_collector.review import routes as review_routes
from promptster_collector.review.bundles import Bundles
from promptster_collector.review.event_pages import EventPages
from promptster_collector.review.segment_sealer import SegmentSealer
from promptster_collector.review.session_reader import SessionReader
from promptster_collector.sessions import routes as session_routes
from promptster_collector.sessions.lifecycle import Lifecycle
from promptster_collector.sessions.service import Sessions
from promptster_collector.web import routes as web_routes
from promptster_collector.web.headers import secured
from promptster_collector.web.openapi import OpenApiDocument
from promptster_collector.worker import Worker, give_memory_back

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from litestar.types import Message, Scope

    from promptster_collector.clock import Clock
    from promptster_collector.settings import Settings
    from promptster_collector.store.store import Store

ROUTES = [
    *web_routes.ROUTES,
    *org_routes.ROUTES,
    *assessment_routes.ROUTES,
    *invite_routes.ROUTES,
    *ingest_routes.ROUTES,
    *log_routes.ROUTES,
    *session_routes.ROUTES,
    *review_routes.ROUTES,
    *privacy_routes.ROUTES,
]


@dataclass(frozen=True, kw_only=True)
class Services:
    """Every service of one collector."""

    settings: Settings
    clock: Clock
    store: Store
    tokens: Tokens
    persons: Persons
    organisations: Organisations
    assessments: Assessments
    invites: Invites
    redemption: Redemption
    sessions: Sessions
    ingest: Ingest
    checks: Checks
    audit: Audit
    reading: SessionReader
    pages: EventPages
    bundles: Bundles
    erasure: Erasure
    worker: Worker


def build_services(settings: Settings, store: Store, clock: Clock) -> Services:
    """Create the services; nothing runs yet."""
    limits = settings.limits
    worker = Worker(clock, settings.timing, sweep_seconds=settings.sweep_seconds)
    tokens = Tokens(store, clock, life_ms=limits.token_ms)
    failures = FailureLimits(
        clock, unsigned_per_second=limits.unsigned_per_second, secrets_per_minute=limits.wrong_secrets_per_minute
    )
    persons = Persons(store, clock)
    organisations = Organisations(store, clock, tokens, persons)
    assessments = Assessments(store, clock, organisations, key_backup_days=settings.key_backup_days)
    invites = Invites(
        store,
        clock,
        limits,
        assessments=assessments,
        organisations=organisations,
        persons=persons,
        public_url=settings.public_url,
        failures=failures,
    )
    lifecycle = Lifecycle(store, clock, on_closed=worker.wake)
    log = TransparencyLog(store, clock, failures=failures)
    ingest = Ingest(
        store,
        clock,
        limits,
        lifecycle=lifecycle,
        background=worker,
        failures=failures,
        on_returned=log.note_returned,
    )
    reading = SessionReader(store, limits)
    checks = Checks(store, clock, limits, lifecycle)
    erasure = Erasure(
        store, clock, failures=failures, forget=(ingest.forget,), key_backup_days=settings.key_backup_days
    )
    worker.add(log.sequence)
    worker.add(checks.run)
    worker.add(SegmentSealer(store, clock, reading, limits, settings.timing).run, aside=True)
    worker.add_sweep(lifecycle.lapse_overdue)
    worker.add_sweep(RetentionRule(store, clock, erasure).run)
    worker.add_sweep(erasure.finish)
    worker.add_sweep(store.database.checkpoint_wal)
    worker.add_sweep(store.endings.look_after_copy)
    worker.add_sweep(lambda: asyncio.to_thread(destroy_old_backups, store, clock))
    worker.add_sweep(store.reserve.look_after)
    worker.add_sweep(give_memory_back)
    return Services(
        settings=settings,
        clock=clock,
        store=store,
        tokens=tokens,
        persons=persons,
        organisations=organisations,
        assessments=assessments,
        invites=invites,
        redemption=Redemption(store, clock, limits, invites=invites, assessments=assessments),
        sessions=Sessions(store, clock, assessments, persons),
        ingest=ingest,
        checks=checks,
        audit=Audit(store, clock),
        reading=reading,
        pages=EventPages(reader=reading, limits=limits),
        bundles=Bundles(store, reading, log),
        erasure=erasure,
        worker=worker,
    )


def destroy_old_backups(store: Store, clock: Clock) -> None:
    """Destroy the keys of expired backups."""
    store.backup_keys.destroy_due(clock.wall_ms())


def prepare(services: Services, *, restored: bool = False) -> None:
    """Prepare a collector to listen: reapply endings, finish interrupted redemptions, continue the log."""
    reapply_endings(services.store, services.clock)
    finish_interrupted(services.store)
    services.bundles.log.continue_after_restore(restored=restored)


async def _add_security_headers(message: Message, scope: Scope) -> None:
    if message["type"] == "http.response.start":
        message["headers"] = secured(message["headers"], tls=scope["scheme"] == "https")


def _dependencies(services: Services) -> dict[str, Provide]:
    def provide(value: Any) -> Provide:
        return Provide(lambda: value, sync_to_thread=False)

    return {
        "public_keys": provide(services.store.identity.public),
        "tokens": provide(services.tokens),
        "organisations": provide(services.organisations),
        "assessments": provide(services.assessments),
        "invites": provide(services.invites),
        "redemption": provide(services.redemption),
        "sessions": provide(services.sessions),
        "ingest": provide(services.ingest),
        "audit": provide(services.audit),
        "pages": provide(services.pages),
        "bundles": provide(services.bundles),
        "receipt_log": provide(services.bundles.log),
        "erasure": provide(services.erasure),
    }


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Promptster collector",
        version=version("promptster"),
        render_plugins=[OpenApiDocument()],
        openapi_router=Router(
            "/schema",
            route_handlers=[],
            opt={ACCESS: ANYONE},
            after_request=problem_for_missing,
            include_in_schema=False,
        ),
    )


def require_rules(app: Litestar) -> None:
    """Demand that every route declares who may use it."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            ruled = isinstance(handler.opt.get(ACCESS), Access)
            if not ruled and getattr(handler, "http_methods", None) != {"OPTIONS"}:
                raise RuntimeError(f"the route {route.path} declares no access rule")


def build_app(services: Services, *, background: bool = True) -> Litestar:
    """The ASGI application; starting it starts the background work, stopping it closes the store.

    Without ``background``, background work runs only in ``Worker.drain``.
    """

    @asynccontextmanager
    async def life(_: Litestar) -> AsyncGenerator[None]:
        async with services.worker if background else nullcontext():
            yield
        services.pages.close()
        services.store.close()

    app = Litestar(
        route_handlers=list(ROUTES),
        dependencies=_dependencies(services),
        guards=[Guard(services.tokens)],
        exception_handlers=HANDLERS,
        before_send=[_add_security_headers],
        lifespan=[life],
        openapi_config=_openapi(),
        logging_config=None,
        request_max_body_size=services.settings.limits.json_body,
        state=AppState({"services": services}),
        debug=False,
    )
    require_rules(app)
    return app


def system_clock() -> Clock:
    """The clock of this computer; tests give the app another one."""
    return SystemClock()
