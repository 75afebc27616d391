"""A collector inside the test's own process, with a clock that the test controls.

``Site`` has everything that an HTTP client sees (``client``) and the services that answer it (``services``). Background
work runs when the test calls ``drain``.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient
from tests.helpers.candidate import now_ms

from promptster_collector.app import Services, build_app, build_services, prepare
from promptster_collector.orgs.service import NewOrganisation
from promptster_collector.settings import Limits, Settings
from promptster_collector.store.data_folder import mark_ready
from promptster_collector.store.store import Store

OWNER = "olga.owner@example.com"


@dataclass
class OwnedClock:
    """A clock that moves when a test moves it."""

    ms: int = field(default_factory=now_ms)

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self.ms

    def monotonic(self) -> float:
        """Seconds; moves with the wall clock."""
        return self.ms / 1000

    def pass_ms(self, milliseconds: int) -> None:
        """Let time pass."""
        self.ms += milliseconds


RESERVE_BYTES = 1024 * 1024
"""Much less than a real collector reserves: a thousand tests have a data folder each, and pytest keeps them."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """A data folder that ``init`` made, to be copied."""

    data: Path
    token: str


def make_template(folder: Path, *, organisation: str = "Acme") -> Template:
    """What ``promptster-collector init`` does, once."""
    settings = Settings(data=folder)
    clock = OwnedClock()
    store = Store.create(settings, clock)
    made = build_services(settings, store, clock).organisations.create(name=organisation, owner_email=OWNER)
    mark_ready(settings)
    store.close()
    return Template(data=folder, token=made.token.token)


@dataclass(repr=False)
class Site:
    """One collector, running in this process."""

    settings: Settings
    clock: OwnedClock
    services: Services
    client: TestClient[Litestar]
    token: str

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.settings.data

    @property
    def store(self) -> Store:
        """The collector's store."""
        return self.services.store

    def drain(self) -> None:
        """Do all background work that is due."""
        with self.client.portal() as portal:
            portal.call(self.services.worker.drain)

    def copy_to(self, target: Path) -> None:
        """Copy the data folder with everything in it, as a backup tool would."""
        self.store.database.truncate_wal()
        copy_data(self.data, target)

    def other_organisation(self, name: str = "Bolt") -> NewOrganisation:
        """A second organisation on the same collector."""
        return self.services.organisations.create(name=name, owner_email="otto.owner@example.com")

    def rows(self, statement: Any) -> Any:
        """Rows of the control database."""
        return self.store.database.read_now(lambda connection: connection.execute(statement).all())


def copy_data(source: Path, target: Path) -> None:
    """Copy a data folder as a backup tool would, with its permissions."""
    shutil.copytree(source, target, copy_function=shutil.copy2)


@contextmanager
def running_site(
    data: Path,
    token: str,
    *,
    clock: OwnedClock | None = None,
    limits: Limits | None = None,
    copy: Path | None = None,
    key_backup_days: int | None = None,
) -> Generator[Site]:
    """Open a data folder, run a collector on it, and close it again."""
    settings = Settings(
        data=data,
        public_url="https://collector.example",
        sweep_seconds=3600.0,
        tombstones_copy=copy,
        key_backup_days=key_backup_days,
        reserve_bytes=RESERVE_BYTES,
    )
    settings = settings if limits is None else replace(settings, limits=limits)
    owned = clock or OwnedClock()
    services = build_services(settings, Store.open(settings), owned)
    try:
        prepare(services)
        with TestClient(build_app(services, background=False), base_url="http://collector.example") as client:
            yield Site(settings=settings, clock=owned, services=services, client=client, token=token)
    finally:
        services.store.close()
