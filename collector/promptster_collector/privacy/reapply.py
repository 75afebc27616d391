"""Reapplies endings before the collector listens: whatever backup the databases are from, what ended ends again.

It also records what ended before there were endings on disk, so that no older database brings it back.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from promptster_collector.orgs import persons
from promptster_collector.privacy.erasure import remove_some_batches, shred, with_batches_left
from promptster_collector.sessions.states import GONE
from promptster_collector.store.disk_reserve import WritePriority
from promptster_collector.store.ending_lines import EndingKind
from promptster_collector.store.endings import Ending
from promptster_collector.store.schema import Invite, Person, Session, Token
from promptster_collector.store.tombstones import ErasedSession, erased_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from promptster_collector.clock import Clock
    from promptster_collector.store.ending_lines import EndingLine
    from promptster_collector.store.store import Store


def reapply_endings(store: Store, clock: Clock) -> None:
    """Erase again what was erased, revoke what was revoked, and close invites that were used; blocks."""
    now = clock.wall_ms()
    store.endings.adopt(store.tombstones.old_erased_sessions(), at_ms=now)
    store.endings.add(store.database.read_now(lambda connection: list(_unwritten(connection, store, now))))
    tokens, invites = store.endings.all(EndingKind.TOKEN), store.endings.all(EndingKind.INVITE)
    if store.database.read_now(lambda connection: _lacks_any(connection, tokens, invites)):
        store.database.write_now(lambda connection: _end(connection, tokens, invites), priority=WritePriority.ENDING)
    _bury_again(store)


def _unwritten(connection: Connection, store: Store, now_ms: int) -> Iterator[Ending]:
    """What ended in this database and is missing from the record."""
    endings = store.endings
    for row in connection.execute(select(Token.id, Token.organisation).where(Token.revoked_ms.is_not(None))):
        if not endings.has(EndingKind.TOKEN, row.id):
            yield Ending(what=EndingKind.TOKEN, organisation=row.organisation, id=row.id, at_ms=now_ms)
    for row in connection.execute(select(Invite.id, Invite.organisation).where(Invite.used_ms.is_not(None))):
        if not endings.has(EndingKind.INVITE, row.id):
            yield Ending(what=EndingKind.INVITE, organisation=row.organisation, id=row.id, at_ms=now_ms)
    columns = (Session.id, Session.organisation, Session.state, Session.tombstone)
    for session, organisation, state, tombstone in connection.execute(select(*columns)):
        if tombstone is not None and not endings.has(EndingKind.SESSION, session):
            found = erased_session(
                organisation=organisation, session=session, person=None, state=state, envelope=tombstone
            )
            yield Ending.of_erased_session(found, now_ms)


def _lacks_any(connection: Connection, tokens: Sequence[EndingLine], invites: Sequence[EndingLine]) -> bool:
    """Whether anything that ended is still valid in the database."""
    valid = set(connection.execute(select(Token.id).where(Token.revoked_ms.is_(None))).scalars())
    unused = set(connection.execute(select(Invite.id).where(Invite.used_ms.is_(None))).scalars())
    return any(entry.id in valid for entry in tokens) or any(entry.id in unused for entry in invites)


def _end(connection: Connection, tokens: Sequence[EndingLine], invites: Sequence[EndingLine]) -> None:
    for entry in tokens:
        mine = (Token.id == entry.id) & Token.revoked_ms.is_(None)
        connection.execute(update(Token).where(mine).values(revoked_ms=entry.at_ms))
    for entry in invites:
        unused = (Invite.id == entry.id) & Invite.used_ms.is_(None)
        connection.execute(update(Invite).where(unused).values(used_ms=entry.at_ms))


def _bury_again(store: Store) -> None:
    """Erase again; nothing is written for a session that is gone, so that a start is possible on a full disk."""
    keyed = store.keys.owners()
    for found in store.endings.erased_sessions():
        if found.session in keyed or (found.person is not None and found.person in keyed):
            store.keys.destroy_session(found.organisation, found.session, person=found.person)
        known = store.database.read_now(partial(_state, session=found.session))
        if known is not None and known not in GONE:
            store.database.write_now(partial(shred, found=found), priority=WritePriority.ENDING)
        elif known is None and store.database.read_now(partial(_is_stray, person=found.person)):
            store.database.write_now(partial(_forget_person, found=found), priority=WritePriority.ENDING)
        store.segments.remove_all(found.session)
    for session in store.database.read_now(with_batches_left):
        while store.database.write_now(partial(remove_some_batches, session=session), priority=WritePriority.ENDING):
            pass
    store.database.truncate_wal()


def _is_stray(connection: Connection, person: str | None) -> bool:
    """Whether the database has a person whose last session it does not know, because it is older than that session."""
    if person is None:
        return False
    known = connection.execute(select(Person.id).where(Person.id == person)).one_or_none()
    return known is not None and not persons.is_needed(connection, person)


def _forget_person(connection: Connection, found: ErasedSession) -> None:
    if found.person is not None:
        persons.remove(connection, found.person)


def _state(connection: Connection, session: str) -> str | None:
    return connection.execute(select(Session.state).where(Session.id == session)).scalar_one_or_none()
