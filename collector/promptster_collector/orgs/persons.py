"""Direct identifiers: encrypted under the person's key, then under the organisation's; found by a keyed blind index."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from promptster_collector.store.at_rest import Sealer
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.keys.names import index_key, person_key
from promptster_collector.store.schema import Invite, Membership, Person, Session
from promptster_collector.store.store import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from promptster_collector.clock import Clock
    from promptster_collector.store.store import Store


@dataclass(frozen=True, kw_only=True)
class PersonDetails:
    """A person's name and e-mail address, in clear."""

    name: str
    email: str


def normalised(email: str) -> str:
    """The normalised form of an address, in which two spellings are equal."""
    return unicodedata.normalize("NFC", email).strip().casefold()


class Persons:
    """The people that an organisation knows."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def _index(self, organisation: str, email: str) -> bytes:
        key = self._store.keys.get(index_key(organisation))
        return hmac.new(key, normalised(email).encode(), hashlib.sha256).digest()

    def _seal(self, organisation: str, person: str, value: str, purpose: str) -> bytes:
        inner = Sealer(self._store.keys.get(person_key(organisation, person)), organisation=organisation)
        once = inner.seal(value.encode(), f"person.{purpose}/{person}")
        return self._store.of_organisation(organisation).seal(once, f"person.{purpose}.outer/{person}")

    def _unseal(self, organisation: str, person: str, sealed: bytes, purpose: str) -> str:
        once = self._store.of_organisation(organisation).unseal(sealed, f"person.{purpose}.outer/{person}")
        inner = Sealer(self._store.keys.get(person_key(organisation, person)), organisation=organisation)
        return inner.unseal(once, f"person.{purpose}/{person}").decode()

    def ensure(self, connection: Connection, organisation: str, who: PersonDetails) -> str:
        """The id of a person, created if the organisation does not know the address yet.

        Call this inside a write; hold the store's person lock if someone could be erased meanwhile.
        """
        index = self._index(organisation, who.email)
        known = select(Person.id).where(Person.organisation == organisation, Person.email_index == index)
        found = connection.execute(known).scalar_one_or_none()
        if found is not None:
            with contextlib.suppress(KeyDestroyedError):
                sealed = self._seal(organisation, found, who.name, "name")
                connection.execute(update(Person).where(Person.id == found).values(name_sealed=sealed))
                return found
            # A row from a backup, of a person who was erased since: it cannot be read and is replaced.
            remove(connection, found)
        person, now = new_id(), self._clock.wall_ms()
        self._store.keys.put({person_key(organisation, person): os.urandom(32)}, created_ms=now)
        connection.execute(
            insert(Person).values(
                id=person,
                organisation=organisation,
                email_index=index,
                email_sealed=self._seal(organisation, person, who.email.strip(), "email"),
                name_sealed=self._seal(organisation, person, who.name, "name"),
                created_ms=now,
            )
        )
        return person

    def identities(self, connection: Connection, organisation: str, persons: Iterable[str]) -> dict[str, PersonDetails]:
        """Names and addresses of people, without those who were erased."""
        statement = select(Person).where(Person.organisation == organisation, Person.id.in_(set(persons)))
        found: dict[str, PersonDetails] = {}
        for row in connection.execute(statement).all():
            try:
                found[row.id] = PersonDetails(
                    name=self._unseal(organisation, row.id, row.name_sealed, "name"),
                    email=self._unseal(organisation, row.id, row.email_sealed, "email"),
                )
            except KeyDestroyedError:
                continue
        return found


def is_needed(connection: Connection, person: str, *, besides_session: str = "", besides_invite: str = "") -> bool:
    """Whether a member, another session or another invite still refers to this person."""
    uses = (
        select(Membership.id).where(Membership.person == person),
        select(Session.id).where(Session.person == person, Session.id != besides_session),
        select(Invite.id).where(
            Invite.person == person,
            Invite.id != besides_invite,
            (Invite.session.is_(None)) | (Invite.session != besides_session),
        ),
    )
    return any(connection.execute(use.limit(1)).first() is not None for use in uses)


def remove(connection: Connection, person: str) -> None:
    """Delete a person's row and every reference to it."""
    connection.execute(update(Session).where(Session.person == person).values(person=None))
    connection.execute(update(Invite).where(Invite.person == person).values(person=None))
    connection.execute(delete(Person).where(Person.id == person))
