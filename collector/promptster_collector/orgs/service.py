"""Organisations: created once with their keys, their owner and the owner's first token."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from promptster_collector.access.principal import Role
from promptster_collector.orgs.persons import PersonDetails, Persons
from promptster_collector.store.keys.names import index_key, organisation_key
from promptster_collector.store.schema import Membership, Organisation
from promptster_collector.store.store import new_id

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from promptster_collector.access.tokens import NewToken, Tokens
    from promptster_collector.clock import Clock
    from promptster_collector.store.store import Store


@dataclass(frozen=True, kw_only=True)
class NewOrganisation:
    """An organisation that was just created, with its owner's token."""

    id: str
    name: str
    token: NewToken
    """The owner's token, shown once."""


class Organisations:
    """The organisations of one collector."""

    def __init__(self, store: Store, clock: Clock, tokens: Tokens, persons: Persons) -> None:
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._persons = persons

    def create(self, *, name: str, owner_email: str) -> NewOrganisation:
        """Create an organisation; blocks, for the command line."""
        organisation, now = new_id(), self._clock.wall_ms()
        keys = {organisation_key(organisation): os.urandom(32), index_key(organisation): os.urandom(32)}
        self._store.keys.put(keys, created_ms=now)
        sealed = self._store.of_organisation(organisation).seal(name.encode(), "organisation.name")

        def job(connection: Connection) -> NewToken:
            connection.execute(insert(Organisation).values(id=organisation, name_sealed=sealed, created_ms=now))
            owner = self._persons.ensure(connection, organisation, PersonDetails(name="", email=owner_email))
            connection.execute(
                insert(Membership).values(
                    id=new_id(), organisation=organisation, person=owner, role=Role.OWNER.value, created_ms=now
                )
            )
            return self._tokens.insert(connection, organisation, Role.OWNER, label="first token of the owner")

        return NewOrganisation(id=organisation, name=name, token=self._store.database.write_now(job))

    def names(self) -> list[str]:
        """The names of all organisations; blocks, for the command line."""
        statement = select(Organisation.id, Organisation.name_sealed)
        rows = self._store.database.read_now(lambda connection: connection.execute(statement).all())
        return [
            self._store.of_organisation(row.id).unseal(row.name_sealed, "organisation.name").decode() for row in rows
        ]

    async def name(self, organisation: str) -> str:
        """An organisation's name."""
        statement = select(Organisation.name_sealed).where(Organisation.id == organisation)
        sealed = await self._store.database.read(lambda connection: connection.execute(statement).scalar_one())
        return self._store.of_organisation(organisation).unseal(sealed, "organisation.name").decode()
