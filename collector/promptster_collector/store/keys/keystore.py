"""Wrapped keys: put, get, destroy.

Decrypted keys are cached, because every batch needs its session's; destroying a key removes it from the cache
in the same call.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Engine, and_, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from promptster_collector.errors import GoneError
from promptster_collector.store.disk_reserve import WritePriority
from promptster_collector.store.ending_lines import EMPTY, EndingsHead
from promptster_collector.store.engine import Use, keystore_engine
from promptster_collector.store.keys.names import KeyName, Purpose
from promptster_collector.store.keys.schema import EndedHead, KeyRecordRow, WrappedKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection, Executable

    from promptster_collector.store.disk_reserve import DiskReserve
    from promptster_collector.store.keys.master import MasterKey

_IN_MEMORY = 4096
"""Opened keys kept in memory."""


class KeyDestroyedError(GoneError):
    """The key that would open this has been destroyed."""

    default_code = "erased"


def _is(name: KeyName) -> ColumnElement[bool]:
    return and_(
        WrappedKey.organisation == name.organisation,
        WrappedKey.purpose == name.purpose.value,
        WrappedKey.session == name.session,
        WrappedKey.person == name.person,
        WrappedKey.label == name.label,
    )


class KeyStore:
    """The key store of one collector."""

    def __init__(
        self, url: str, master: MasterKey, reserve: DiskReserve | None = None, *, in_memory: int = _IN_MEMORY
    ) -> None:
        self._in_memory = in_memory
        self._reserve = reserve
        self._engine = keystore_engine(url, Use.READ)
        self._writing = keystore_engine(url, Use.WRITE)
        self._master = master
        self._opened: OrderedDict[KeyName, bytes] = OrderedDict()
        self._lock = threading.RLock()

    def _write(self, job: Callable[[Connection], None], priority: WritePriority) -> None:
        """Run a job in one transaction, again if the disk reserve frees space for it.

        Raises:
            StorageFullError: there is no room.
        """

        def once() -> None:
            with self._writing.begin() as connection:
                job(connection)

        if self._reserve is None:
            once()
        else:
            self._reserve.use(priority, once)

    def put(self, keys: Mapping[KeyName, bytes], *, created_ms: int, pending: bool = False) -> None:
        """Store keys in one transaction; a key of the same name is replaced.

        Raises:
            StorageFullError: there is no room.
        """

        def job(connection: Connection) -> None:
            for name, secret in keys.items():
                connection.execute(delete(WrappedKey).where(_is(name)))
                connection.execute(
                    insert(WrappedKey).values(
                        organisation=name.organisation,
                        purpose=name.purpose.value,
                        session=name.session,
                        person=name.person,
                        label=name.label,
                        pending=pending,
                        wrapped=self._master.wrap(name, secret),
                        created_ms=created_ms,
                    )
                )

        with self._lock:
            self._write(job, WritePriority.ORDINARY)
            for name in keys:
                self._opened.pop(name, None)

    def get(self, name: KeyName) -> bytes:
        """Open one key.

        Raises:
            KeyDestroyedError: there is no key of this name, or no longer.
            UnsealError: the master key is wrong, or the row was changed.
        """
        with self._lock:
            opened = self._opened.get(name)
            if opened is not None:
                self._opened.move_to_end(name)
                return opened
            with self._engine.connect() as connection:
                wrapped = connection.execute(select(WrappedKey.wrapped).where(_is(name))).scalar_one_or_none()
            if wrapped is None:
                raise KeyDestroyedError("the key has been destroyed")
            return self._remember(name, self._master.unwrap(name, wrapped))

    def _remember(self, name: KeyName, secret: bytes) -> bytes:
        self._opened[name] = secret
        while len(self._opened) > self._in_memory:
            self._opened.popitem(last=False)
        return secret

    def destroy(self, names: Iterable[KeyName]) -> None:
        """Destroy single keys in one transaction."""
        with self._lock:
            gone = list(names)

            def job(connection: Connection) -> None:
                for name in gone:
                    connection.execute(delete(WrappedKey).where(_is(name)))

            self._write(job, WritePriority.ENDING)
            for name in gone:
                self._opened.pop(name, None)

    def destroy_session(self, organisation: str | None, session: str, *, person: str | None) -> None:
        """Destroy every key of a session, and its person's if ``person`` is given, in one transaction.

        Without an organisation the session's keys are found by its id alone.
        """
        of_session = WrappedKey.session == session
        if organisation is not None:
            of_session = and_(WrappedKey.organisation == organisation, of_session)

        def job(connection: Connection) -> None:
            connection.execute(delete(WrappedKey).where(of_session))
            if person is not None and organisation is not None:
                name = KeyName(purpose=Purpose.PERSON, organisation=organisation, person=person)
                connection.execute(delete(WrappedKey).where(_is(name)))

        with self._lock:
            self._write(job, WritePriority.ENDING)
            for name in [name for name in self._opened if name.session == session or name.person == person]:
                self._opened.pop(name, None)

    def confirm(self, organisation: str, session: str) -> None:
        """Mark a session's keys as confirmed: the control database has the session."""
        of_session = and_(WrappedKey.organisation == organisation, WrappedKey.session == session)
        with self._lock:
            self._write(
                lambda connection: _run(connection, update(WrappedKey).where(of_session).values(pending=False)),
                WritePriority.ENDING,
            )

    def ended_head(self) -> EndingsHead:
        """The head of the endings that was last stored here."""
        return _ended_head(self._engine)

    def note_ended(self, head: EndingsHead) -> None:
        """Store the head of the endings."""

        def job(connection: Connection) -> None:
            connection.execute(delete(EndedHead))
            connection.execute(insert(EndedHead).values(id=0, entries=head.count, sha256=head.sha256))

        with self._lock:
            self._write(job, WritePriority.ENDING)

    def pending(self) -> list[tuple[str, str]]:
        """Organisation and session of keys whose redemption did not finish."""
        statement = select(WrappedKey.organisation, WrappedKey.session).where(WrappedKey.pending).distinct()
        with self._engine.connect() as connection:
            return [(row.organisation, row.session) for row in connection.execute(statement)]

    def owners(self) -> set[str]:
        """The sessions and persons that still have keys."""
        statement = select(WrappedKey.session, WrappedKey.person)
        with self._engine.connect() as connection:
            return {name for row in connection.execute(statement) for name in row} - {""}

    def sealing_key_ids(self) -> list[tuple[str, str]]:
        """Organisation and id of every sealing pair whose private half still exists."""
        statement = select(WrappedKey.organisation, WrappedKey.label).where(WrappedKey.purpose == Purpose.SEALING.value)
        with self._engine.connect() as connection:
            return [(row.organisation, row.label) for row in connection.execute(statement)]

    def add_record(self, *, purpose: Purpose, kid: str, record: bytes) -> None:
        """Append a signed public key record to the succession."""
        with self._lock, self._writing.begin() as connection:
            position = connection.execute(select(func.count()).select_from(KeyRecordRow)).scalar_one()
            connection.execute(
                insert(KeyRecordRow).values(position=position, purpose=purpose.value, kid=kid, record=record)
            )

    def records(self) -> list[tuple[Purpose, str, bytes]]:
        """Purpose, key id and record of every collector and log key, in order."""
        return _records(self._engine)

    def close(self) -> None:
        """Forget all decrypted keys and close the database."""
        with self._lock:
            self._opened.clear()
        self._engine.dispose()
        self._writing.dispose()


def _run(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)


def _records(engine: Engine) -> list[tuple[Purpose, str, bytes]]:
    with engine.connect() as connection:
        rows = connection.execute(select(KeyRecordRow).order_by(KeyRecordRow.position)).all()
    return [(Purpose(row.purpose), row.kid, row.record) for row in rows]


def _ended_head(engine: Engine) -> EndingsHead:
    with engine.connect() as connection:
        row = connection.execute(select(EndedHead.entries, EndedHead.sha256)).one_or_none()
    return EMPTY if row is None else EndingsHead(row.entries, row.sha256)


def read_ended_head(url: str) -> EndingsHead:
    """The stored head of a key store that is not open; an empty head if it cannot be read."""
    engine = keystore_engine(url, Use.READ)
    try:
        return _ended_head(engine)
    except DBAPIError:
        return EMPTY
    finally:
        engine.dispose()


def read_records(url: str) -> list[tuple[Purpose, str, bytes]]:
    """The public records of a key store, without its master key, even while it is in use."""
    engine = keystore_engine(url, Use.READ)
    try:
        return _records(engine)
    finally:
        engine.dispose()
