"""The collector's data, opened together."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING, Self

from promptster_collector.errors import SetupError
from promptster_collector.store.at_rest import Sealer
from promptster_collector.store.backup_keys import BackupKeys
from promptster_collector.store.data_folder import require_data_folder, require_room
from promptster_collector.store.database import Database
from promptster_collector.store.disk_reserve import DiskReserve
from promptster_collector.store.endings import Endings
from promptster_collector.store.keys.identity import CollectorIdentity
from promptster_collector.store.keys.keystore import KeyStore
from promptster_collector.store.keys.master import MasterKey
from promptster_collector.store.keys.names import organisation_key, session_key
from promptster_collector.store.migrate import migrate_all
from promptster_collector.store.segments import SegmentFolder
from promptster_collector.store.tombstones import TombstoneFolder

if TYPE_CHECKING:
    from promptster_collector.clock import Clock
    from promptster_collector.settings import Settings


def new_id() -> str:
    """A random id for a row: 64 bits, hexadecimal."""
    return secrets.token_hex(8)


@dataclass(frozen=True, kw_only=True)
class Store:
    """Databases, keys, segments, tombstones and disk reserve of one data folder."""

    database: Database
    keys: KeyStore
    identity: CollectorIdentity
    segments: SegmentFolder
    tombstones: TombstoneFolder
    endings: Endings
    backup_keys: BackupKeys
    reserve: DiskReserve
    person_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it is decided whether a person is still needed, and while one is added."""

    def of_organisation(self, organisation: str) -> Sealer:
        """Encrypts an organisation's data.

        Raises:
            KeyDestroyedError: its key is gone.
        """
        return Sealer(self.keys.get(organisation_key(organisation)), organisation=organisation)

    def of_session(self, organisation: str, session: str) -> Sealer:
        """Encrypts a session's data.

        Raises:
            KeyDestroyedError: its key is gone.
        """
        return Sealer(self.keys.get(session_key(organisation, session)), organisation=organisation, session=session)

    def close(self) -> None:
        """Finish writes and close everything."""
        self.database.close()
        self.keys.close()

    @classmethod
    def create(cls, settings: Settings, clock: Clock) -> Self:
        """Create a data folder with its keys.

        Raises:
            SetupError: it already exists.
        """
        if settings.master_key.exists() and not settings.marker.exists():
            hint = "It was never served. Remove it, then run init again."
            raise SetupError("an earlier init of this data folder was interrupted", hint=hint, code="incomplete_data")
        if settings.marker.exists():
            hint = f"Start it: promptster-collector serve --data {quote(str(settings.data))}"
            raise SetupError(
                f"{settings.data} is already a collector's data folder", hint=hint, code="already_initialised"
            )
        require_room(settings)
        for folder in settings.folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        master = MasterKey.create(settings.master_key)
        migrate_all(database_url=settings.database_url, keystore_url=settings.keystore_url)
        keys = KeyStore(settings.keystore_url, master)
        identity = CollectorIdentity.create(keys, now_ms=clock.wall_ms())
        reserve = DiskReserve(settings.reserve, settings.reserve_bytes)
        return cls._assemble(settings, keys, identity, reserve, Database(settings.database_url))

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open a data folder and migrate it.

        Raises:
            SetupError: it is not a data folder, or a part of it is missing.
        """
        require_data_folder(settings)
        master = MasterKey.load(settings.master_key)
        reserve = DiskReserve(settings.reserve, settings.reserve_bytes)
        reserve.open()
        migrate_all(database_url=settings.database_url, keystore_url=settings.keystore_url)
        keys = KeyStore(settings.keystore_url, master, reserve)
        return cls._assemble(
            settings, keys, CollectorIdentity.load(keys), reserve, Database(settings.database_url, reserve)
        )

    @classmethod
    def _assemble(
        cls, settings: Settings, keys: KeyStore, identity: CollectorIdentity, reserve: DiskReserve, database: Database
    ) -> Self:
        try:
            endings = Endings(
                settings.tombstones, identity=identity, heads=keys, reserve=reserve, copy=settings.tombstones_copy
            )
        except BaseException:
            database.close()
            raise
        return cls(
            database=database,
            keys=keys,
            identity=identity,
            segments=SegmentFolder(settings.segments),
            tombstones=TombstoneFolder(settings.tombstones, settings.tombstones_copy),
            endings=endings,
            backup_keys=BackupKeys(settings.backup_keys),
            reserve=reserve,
        )
