"""Team tokens: created, found by their hash, listed and revoked. A token is shown once and never stored."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from promptster.protocol.encoding import b64u_encode
from promptster_collector.access.principal import Principal, Role
from promptster_collector.errors import ConflictError, NotFoundError, UnauthorizedError
from promptster_collector.store.disk_reserve import WritePriority
from promptster_collector.store.ending_lines import EndingKind
from promptster_collector.store.endings import Ending
from promptster_collector.store.schema import Session, Token
from promptster_collector.store.store import new_id
from promptster_collector.store.tombstones import erased_refusal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from promptster_collector.clock import Clock
    from promptster_collector.store.store import Store

TEAM_PREFIX = "pt_"
CANDIDATE_PREFIX = "pa_"
_ASK = "Ask an owner for a new token."
_COPY = "Copy all of it."


class TokenRejectedError(UnauthorizedError):
    """The bearer token is not valid."""

    default_code = "token_invalid"


def token_sha256(token: str) -> bytes:
    """The hash of a token, which is stored instead of it."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """A new token, the only time it can be read."""

    id: str
    token: str
    role: Role
    expires_ms: int


@dataclass(frozen=True, kw_only=True)
class ListedToken:
    """A token without its secret."""

    id: str
    role: Role
    label: str
    created_ms: int
    expires_ms: int
    revoked_ms: int | None
    active: bool
    """Whether it can be used now."""


class Tokens:
    """The tokens of all organisations."""

    def __init__(self, store: Store, clock: Clock, *, life_ms: int) -> None:
        self._store = store
        self._clock = clock
        self._life_ms = life_ms

    def insert(
        self, connection: Connection, organisation: str, role: Role, *, label: str, life_ms: int | None = None
    ) -> NewToken:
        """Create a token inside an open write transaction."""
        token = TEAM_PREFIX + b64u_encode(os.urandom(32))
        now = self._clock.wall_ms()
        made = NewToken(
            id=new_id(), token=token, role=role, expires_ms=now + min(life_ms or self._life_ms, self._life_ms)
        )
        sealed = self._store.of_organisation(organisation).seal(label.encode(), f"token.label/{made.id}")
        connection.execute(
            insert(Token).values(
                id=made.id,
                organisation=organisation,
                role=role.value,
                label_sealed=sealed,
                secret_sha256=token_sha256(token),
                created_ms=now,
                expires_ms=made.expires_ms,
                revoked_ms=None,
            )
        )
        return made

    async def create(self, organisation: str, role: Role, *, label: str, life_ms: int | None) -> NewToken:
        """Make a token."""
        return await self._store.database.write(
            lambda connection: self.insert(connection, organisation, role, label=label, life_ms=life_ms)
        )

    async def list(self, organisation: str) -> list[ListedToken]:
        """Every token of the organisation, oldest first."""
        statement = select(Token).where(Token.organisation == organisation).order_by(Token.created_ms, Token.id)
        rows = await self._store.database.read(lambda connection: connection.execute(statement).all())
        sealer, now = self._store.of_organisation(organisation), self._clock.wall_ms()
        return [
            ListedToken(
                id=row.id,
                role=Role(row.role),
                label=sealer.unseal(row.label_sealed, f"token.label/{row.id}").decode(),
                created_ms=row.created_ms,
                expires_ms=row.expires_ms,
                revoked_ms=row.revoked_ms,
                active=row.revoked_ms is None and row.expires_ms > now,
            )
            for row in rows
        ]

    async def revoke(self, organisation: str, token: str, *, by: str | None) -> None:
        """Revoke a token at once; revoking it again changes nothing.

        Raises:
            NotFoundError: the organisation has no such token.
            ConflictError: it is the caller's own.
        """
        if token == by:
            raise ConflictError("a token cannot revoke itself", code="own_token", hint="Use another owner's token.")
        now = self._clock.wall_ms()
        mine = (Token.id == token) & (Token.organisation == organisation)
        found = await self._store.database.read(
            lambda connection: connection.execute(select(Token.id).where(mine)).one_or_none()
        )
        if found is None:
            raise NotFoundError("there is no such token")
        # Recorded outside the database first, so that a restored backup does not make the token valid again.
        entry = Ending(what=EndingKind.TOKEN, organisation=organisation, id=token, at_ms=now)
        await asyncio.to_thread(self._store.endings.add, [entry])

        def job(connection: Connection) -> None:
            connection.execute(update(Token).where(mine & Token.revoked_ms.is_(None)).values(revoked_ms=now))

        await self._store.database.write(job, priority=WritePriority.ENDING)

    async def principal(self, bearer: str, *, session: object = None) -> Principal:
        """The holder of a bearer token; ``session`` is the one that the request names.

        Raises:
            TokenRejectedError: the token is unknown, revoked or expired.
            GoneError: a candidate's access token, and the session that is named has been erased.
        """
        digest = token_sha256(bearer)
        if bearer.startswith(TEAM_PREFIX):
            return await self._team(digest)
        if bearer.startswith(CANDIDATE_PREFIX):
            return await self._candidate(digest, session)
        raise TokenRejectedError("this collector does not know the token", hint=_COPY)

    async def _team(self, digest: bytes) -> Principal:
        statement = select(Token.id, Token.organisation, Token.role, Token.expires_ms, Token.revoked_ms).where(
            Token.secret_sha256 == digest
        )
        row = await self._store.database.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None:
            raise TokenRejectedError("this collector does not know the token", hint=_COPY)
        if row.revoked_ms is not None:
            raise TokenRejectedError("the token was revoked", code="token_revoked", hint=_ASK)
        if row.expires_ms <= self._clock.wall_ms():
            raise TokenRejectedError("the token has expired", code="token_expired", hint=_ASK)
        return Principal(organisation=row.organisation, role=Role(row.role), token=row.id)

    async def _candidate(self, digest: bytes, session: object) -> Principal:
        statement = select(Session.id, Session.organisation).where(Session.access_sha256 == digest)
        row = await self._store.database.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None:
            # Nothing is left of an erased session by which its token could be recognised. Its tombstone is public, and
            # whoever requested the erasure and missed the answer finds it here.
            erased = select(Session.state, Session.tombstone).where(Session.id == str(session))
            found = await self._store.database.read(lambda connection: connection.execute(erased).one_or_none())
            if found is not None and found.tombstone is not None:
                raise erased_refusal(found.state, found.tombstone)
            raise TokenRejectedError("this access token belongs to no session")
        return Principal(organisation=row.organisation, session=row.id)
